"""Tasks that have waited long enough to have risen, and their boost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from queue_service.domain.order import Candidate
from queue_service.domain.priority import may_boost
from queue_service.domain.states import Kind, State
from queue_service.store.sequences import candidate
from queue_service.store.statements import SQL, read_freely
from queue_service.store.transitions import record
from service_kit.postgres import Database, raw

if TYPE_CHECKING:
    import asyncpg

MOST_REPORTED: Final = 1_000


@dataclass(frozen=True, slots=True)
class Starving:
    """A waiting task whose level ageing has raised; `boost` includes what this call added."""

    id: int
    queue: str
    task_id: str
    priority: int
    boost: int
    order_at: datetime
    boosted_now: bool


class StarvationStore:
    """Reports and boosts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def report(self, namespace: str, queue: str, threshold: timedelta, now: datetime) -> list[Starving]:
        """Waiting tasks older than `threshold`, longest waiting first, at most 1,000."""

        async def work(connection: AsyncConnection) -> list[Starving]:
            rows = await _starving(connection, namespace, queue, threshold, now)
            return [_report(row, frozenset()) for row in rows]

        return await self._database.unit(work, readonly=True)

    async def boost(
        self, namespace: str, queue: str, threshold: timedelta, actor: str, now: datetime
    ) -> tuple[list[Starving], list[Candidate]]:
        """As `report`, and raises each by a level, once per task and threshold; with what may start now."""

        async def work(connection: AsyncConnection) -> tuple[list[Starving], list[Candidate]]:
            driver = await raw(connection)
            rows = await _starving(connection, namespace, queue, threshold, now)
            eligible = [
                row["id"] for row in rows if may_boost(row["boost"], row["boosted_at"], now, threshold)
            ]
            locked = {row["id"] for row in await driver.fetch(SQL["lock_unleased"], eligible)}
            moved = await _raise(driver, [row for row in rows if row["id"] in locked], now)
            raised = frozenset(row["task"] for row in moved)
            if raised:
                await record(
                    connection,
                    Kind.REPRIORITIZED,
                    State.WAITING,
                    namespace,
                    sorted(raised),
                    at=now,
                    actor=actor,
                    detail="boosted by a level",
                )
            return [_report(row, raised) for row in rows], [candidate(row) for row in moved if row["ready"]]

        return await self._database.unit(work)


async def _starving(
    connection: AsyncConnection, namespace: str, queue: str, threshold: timedelta, now: datetime
) -> Sequence[Mapping[str, Any]]:
    await read_freely(connection)
    driver = await raw(connection)
    found: Sequence[Mapping[str, Any]] = await driver.fetch(
        SQL["starving"], namespace, queue, now - threshold, now, MOST_REPORTED
    )
    return found


async def _raise(
    driver: "asyncpg.Connection[Any]", rows: Sequence[Mapping[str, Any]], now: datetime
) -> Sequence[Mapping[str, Any]]:
    if not rows:
        return []
    moved: Sequence[Mapping[str, Any]] = await driver.fetch(
        SQL["relevel"],
        [row["id"] for row in rows],
        [row["priority"] for row in rows],
        [row["boost"] + 1 for row in rows],
        now,
        now,
    )
    return moved


def _report(row: Mapping[str, Any], raised: frozenset[int]) -> Starving:
    boosted = row["id"] in raised
    return Starving(
        row["id"],
        row["queue"],
        row["task_id"],
        row["priority"],
        row["boost"] + boosted,
        row["order_at"],
        boosted,
    )
