"""Sessions of executors: their beginning, their life signs, and what they hold."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from queue_service.domain.admission import Use
from queue_service.domain.lease import Ref
from queue_service.domain.limits import Limits
from queue_service.domain.registration import Measured, Registration
from queue_service.domain.states import LeaseState
from queue_service.store.claims import columns
from queue_service.store.dispatching import SQL
from service_kit.postgres import AsyncConnection, Database, raw


@dataclass(frozen=True, slots=True)
class Opened:
    """A new session: its epoch, its executor, and the epoch of the session it replaced."""

    session: int
    executor: int
    replaced: int | None


class HeldLease(NamedTuple):
    """A lease of a session, as far as its end needs to know it."""

    ref: Ref
    state: LeaseState


@dataclass(frozen=True, slots=True)
class Standing:
    """What an executor has in use and may use, and its namespace's ageing threshold."""

    use: Use
    limits: Limits
    threshold: timedelta


class SessionRef(NamedTuple):
    """A session and the executor it is of."""

    session: int
    executor: int


class SessionStore:
    """Reads and writes sessions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(
        self, registration: Registration, replica: str, now: datetime, expires_at: datetime
    ) -> Opened:
        """Registers the executor and begins its next session; from then on no other one is given work."""

        async def work(connection: AsyncConnection) -> Opened:
            driver = await raw(connection)
            r = registration
            row = await driver.fetchrow(
                SQL["register"],
                r.namespace,
                r.executor,
                list(r.handlers),
                r.allows_shell,
                r.allows_http,
                json.dumps(dict(r.labels or {})),
                r.cpu_count,
                r.memory_bytes,
                r.version,
                r.max_tasks,
                now,
            )
            session = await driver.fetchval(
                SQL["open_session"], row["id"], r.instance_id, replica, now, expires_at
            )
            return Opened(session, row["id"], row["session"])

        return await self._database.unit(work)

    async def adopt(self, opened: Opened, instance_id: str, held: Iterable[Ref], now: datetime) -> list[Ref]:
        """Moves the leases that the agent still holds to its new session; returns those that moved."""
        tasks, tokens = columns(sorted(set(held)), 2)
        if not tasks:
            return []
        rows = await self._database.statement(
            lambda driver: driver.fetch(
                SQL["adopt"], tasks, tokens, opened.session, opened.executor, instance_id, now
            )
        )
        return [Ref(*row) for row in rows]

    async def left_behind(self, opened: Opened, instance_id: str, limit: int) -> list[HeldLease]:
        """Leases that earlier sessions of the same instance still have."""
        return await self._held("left_behind", opened.executor, instance_id, opened.session, limit)

    async def held_by(self, session: int, limit: int) -> list[HeldLease]:
        """Leases of one session."""
        return await self._held("held_by", session, limit)

    async def detach(self, session: int) -> None:
        """After this nothing is claimed for the session any more."""
        await self._database.statement(lambda driver: driver.execute(SQL["detach"], session))

    async def condemn(self, session: int, before: datetime) -> bool:
        """Whether the open session ran out before `before`; then nothing is claimed for it any more."""
        found = await self._database.statement(
            lambda driver: driver.fetchval(SQL["condemn"], session, before)
        )
        return bool(found)

    async def close(self, session: SessionRef, now: datetime, reason: str) -> None:
        """Ends the session, and what was left of earlier ones of its executor, unless leases are left."""
        await self._database.statement(
            lambda driver: driver.execute(
                SQL["close_sessions"], session.executor, session.session, None, now, True, reason
            )
        )

    async def close_earlier(self, opened: Opened, instance_id: str, now: datetime) -> None:
        """Ends earlier sessions of the same instance that hold nothing any more."""
        await self._database.statement(
            lambda driver: driver.execute(
                SQL["close_sessions"],
                opened.executor,
                opened.session,
                instance_id,
                now,
                False,
                "reconnected",
            )
        )

    async def beat(self, sessions: Sequence[int], now: datetime, expires_at: datetime) -> frozenset[int]:
        """Renews sessions with all of their leases; returns those that are current."""
        rows = await self._database.statement(
            lambda driver: driver.fetch(SQL["beat"], sorted(sessions), now, expires_at)
        )
        return frozenset(row[0] for row in rows)

    async def successors(self, sessions: Sequence[int]) -> dict[int, int]:
        """The current session of each one's executor; 0 when it has none."""
        rows = await self._database.statement(lambda driver: driver.fetch(SQL["successors"], sessions))
        return {row["id"]: row["session"] or 0 for row in rows}

    async def note_load(self, loads: Sequence[Measured], now: datetime) -> None:
        """Writes down what agents measured."""
        await self._database.statement(
            lambda driver: driver.execute(SQL["note_load"], *columns(sorted(loads), 3), now)
        )

    async def standings(self, executors: Sequence[int]) -> dict[int, Standing]:
        """Use and limits in force, by executor."""
        rows = await self._database.statement(lambda driver: driver.fetch(SQL["standings"], executors))
        return {
            row["id"]: Standing(
                Use(row["used_tasks"], row["used_cpu"], row["used_memory"]),
                Limits(row["max_tasks"], row["max_cpu"], row["max_memory"]),
                timedelta(milliseconds=row["ageing_threshold_ms"]),
            )
            for row in rows
        }

    async def cancelled(
        self, tasks: Sequence[int], sessions: Sequence[int]
    ) -> list[tuple[int, Ref, timedelta]]:
        """Leases of these tasks and sessions that are to be stopped, each with its session and grace."""
        rows = await self._database.statement(lambda driver: driver.fetch(SQL["cancelled"], tasks, sessions))
        return [
            (session, Ref(task, token), timedelta(milliseconds=grace)) for session, task, token, grace in rows
        ]

    async def unanswered(
        self, sessions: Sequence[int], after: datetime, until: datetime
    ) -> list[tuple[int, Ref]]:
        """Offers whose time to answer ended between the two instants, each with its session."""
        rows = await self._database.statement(
            lambda driver: driver.fetch(SQL["unanswered"], sessions, after, until)
        )
        return [(session, Ref(task, token)) for session, task, token in rows]

    async def expired(self, before: datetime, limit: int) -> list[SessionRef]:
        """Open sessions that ran out before `before`, the oldest first."""
        rows = await self._database.statement(
            lambda driver: driver.fetch(SQL["expired_sessions"], before, limit)
        )
        return [SessionRef(*row) for row in rows]

    async def vanished_offers(
        self, after: datetime, before: datetime, limit: int
    ) -> list[tuple[Ref, datetime]]:
        """Offers whose time to answer ended between the two instants, with that end, the oldest first."""
        return await self._overdue("vanished_offers", after, before, limit)

    async def expired_pulls(
        self, after: datetime, before: datetime, limit: int
    ) -> list[tuple[Ref, datetime]]:
        """Pull leases that ended between the two instants, with their end, the oldest first."""
        return await self._overdue("expired_pulls", after, before, limit)

    async def _overdue(
        self, statement: str, after: datetime, before: datetime, limit: int
    ) -> list[tuple[Ref, datetime]]:
        rows = await self._database.statement(
            lambda driver: driver.fetch(SQL[statement], after, before, limit)
        )
        return [(Ref(task, token), ended) for task, token, ended in rows]

    async def _held(self, statement: str, *arguments: object) -> list[HeldLease]:
        rows = await self._database.statement(lambda driver: driver.fetch(SQL[statement], *arguments))
        return [HeldLease(Ref(task, token), LeaseState(state)) for task, token, state in rows]
