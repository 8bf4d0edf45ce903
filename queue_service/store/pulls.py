"""What pull clients need beside claims: registration, repeated requests, extensions, a look ahead."""

from datetime import datetime
from itertools import groupby
from typing import NamedTuple

import asyncpg

from queue_service.domain.order import Candidate
from queue_service.store.claims import ClaimStore, OverLimit, Taken
from queue_service.store.sequences import candidate
from queue_service.store.statements import SQL
from service_kit.postgres import AsyncConnection, Database, raw


class HeldLease(NamedTuple):
    """A pull lease that is there already."""

    task: int
    token: int
    expires_at: datetime


class RequestTaken(Exception):
    """Another call with the same `request_id` has won a lease in the meantime."""


class PullStore:
    """Statements of the pull API."""

    def __init__(self, database: Database, claims: ClaimStore) -> None:
        self._database = database
        self._claims = claims

    async def claim(
        self,
        executor: int,
        task: int,
        version: int | None,
        now: datetime,
        expires_at: datetime,
        request_id: str,
    ) -> HeldLease | Taken | OverLimit:
        """As `ClaimStore.claim_pull`, for one task. Raises RequestTaken."""
        try:
            claimed = await self._claims.claim_pull(
                executor, [(task, version)], now, expires_at, request_id or None
            )
        except asyncpg.UniqueViolationError as error:
            raise RequestTaken from error
        if isinstance(claimed, Taken | OverLimit):
            return claimed
        return HeldLease(claimed.task, claimed.token, expires_at)

    async def register(self, namespace: str, name: str, now: datetime) -> int:
        """The executor that a pull client counts as; made by its first lease."""
        found = await self._database.statement(
            lambda driver: driver.fetchval(SQL["register_pull"], namespace, name, now)
        )
        return int(found)

    async def by_request(self, executor: int, request_id: str) -> HeldLease | None:
        """The lease that an earlier call with this `request_id` made, while it is there."""
        row = await self._database.statement(
            lambda driver: driver.fetchrow(SQL["lease_by_request"], executor, request_id)
        )
        return None if row is None else HeldLease(*row)

    async def extend(self, key: tuple[str, str, str], token: int, expires_at: datetime) -> bool:
        """Whether `token` is the task's current pull lease; it then ends at `expires_at`."""

        async def work(connection: AsyncConnection) -> bool:
            driver = await raw(connection)
            task = await driver.fetchrow(SQL["lock_task"], *key)
            if task is None:
                return False
            return await driver.fetchval(SQL["extend"], task["id"], token, expires_at) is not None

        return await self._database.unit(work)

    async def handle_of(self, namespace: str, queue: str, task_id: str) -> int | None:
        """The queue's own handle of a task, live or ended."""
        found: int | None = await self._database.statement(
            lambda driver: driver.fetchval(SQL["handle_of"], namespace, queue, task_id)
        )
        return found

    async def is_of_a_session(self, task: int, token: int) -> bool:
        """Whether an agent holds the lease, which then only its session can end."""
        return bool(
            await self._database.statement(
                lambda driver: driver.fetchval(SQL["is_of_a_session"], task, token)
            )
        )

    async def heads(self, namespace: str, queue: str, depth: int, now: datetime) -> list[list[Candidate]]:
        """The first `depth` waiting tasks of each list of a namespace, of one queue or (empty) of all."""
        # The lanes of a namespace begin with it and a slash; "0" is the next byte.
        lanes = f"{namespace}/", f"{namespace}0"
        rows = await self._database.statement(
            lambda driver: driver.fetch(SQL["heads"], *lanes, queue, now, depth)
        )
        candidates = (candidate(row) for row in rows)
        return [list(each) for _, each in groupby(candidates, key=lambda c: (c.lane, c.level))]
