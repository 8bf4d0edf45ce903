"""The audit trail: written in the transaction that makes a transition, read in commit order."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row, Text, cast, literal, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from queue_service.domain.activity import Activity
from queue_service.domain.cursor import Cursor
from queue_service.domain.states import Kind, State
from queue_service.store.records import history, transitions
from queue_service.store.selections import any_of
from queue_service.store.tables import tasks
from queue_service.store.xids import xid
from service_kit.postgres import Database

_XMIN: Final = text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text")
_NAMES: Final = ("id", "queue", "task_id", "schedule_id", "priority", "boost")


async def record(
    connection: AsyncConnection,
    kind: Kind,
    state: State,
    namespace: str,
    task_ids: Sequence[int],
    *,
    at: datetime,
    actor: str = "",
    detail: str = "",
    executor: str = "",
) -> None:
    """Writes one row for tasks of one namespace, named by the queue's handles."""
    await connection.execute(
        transitions.insert().values(
            at=at,
            kind=kind,
            state=state,
            namespace=namespace,
            tasks=list(task_ids),
            executor=executor,
            actor=actor,
            detail=detail,
        )
    )


class TransitionStore:
    """Reads the trail below the snapshot's xmin, so that what commits late is not passed over."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def end(self) -> Cursor:
        """The position from which on only what happens from now on is read (and a little before)."""

        async def read(connection: AsyncConnection) -> Cursor:
            return Cursor(int(await connection.scalar(_XMIN) or 0), 0)

        return await self._database.unit(read, readonly=True)

    async def after(self, cursor: Cursor, since: datetime, limit: int) -> tuple[list[Activity], Cursor]:
        """What up to `limit` rows after `cursor` say, and the position behind them.

        `since` is when the watching began: only days from then on are looked at.
        """

        async def read(connection: AsyncConnection) -> tuple[list[Activity], Cursor]:
            xmin = int(await connection.scalar(_XMIN) or 0)
            wanted = (
                select(transitions, cast(transitions.c.xid, Text).label("xid_text"))
                .where(
                    tuple_(transitions.c.xid, transitions.c.id) > tuple_(xid(cursor.xid), literal(cursor.id)),
                    transitions.c.xid < xid(xmin),
                    transitions.c.at >= since - timedelta(hours=1),
                )
                .order_by(transitions.c.xid, transitions.c.id)
                .limit(limit)
            )
            rows = (await connection.execute(wanted)).all()
            names = await _names(connection, rows, since)
            found = [activity for row in rows for activity in _activities(row, names)]
            full = len(rows) == limit
            return found, Cursor(int(rows[-1].xid_text), rows[-1].id) if full else max(
                cursor, Cursor(xmin, 0)
            )

        return await self._database.unit(read, readonly=True)


async def _names(
    connection: AsyncConnection, rows: Sequence[Row[Any]], since: datetime
) -> Mapping[int, Row[Any]]:
    """What the tasks of the rows are called, live or ended."""
    wanted = {task for row in rows for task in row.tasks}
    if not wanted:
        return {}
    live = await connection.execute(
        select(*(tasks.c[name] for name in _NAMES)).where(tasks.c.id == any_of(wanted))
    )
    names: dict[int, Row[Any]] = {row.id: row for row in live}
    gone = wanted - names.keys()
    if gone:
        ended = await connection.execute(
            select(*(history.c[name] for name in _NAMES)).where(
                history.c.namespace.in_({row.namespace for row in rows}),
                history.c.id == any_of(gone),
                history.c.ended_at >= since - timedelta(hours=1),
            )
        )
        names.update((row.id, row) for row in ended)
    return names


def _activities(row: Row[Any], names: Mapping[int, Row[Any]]) -> Iterator[Activity]:
    for place, task in enumerate(row.tasks):
        named = names.get(task)
        if named is None:
            continue
        yield Activity(
            at=row.at,
            kind=Kind(row.kind),
            namespace=row.namespace,
            queue=named.queue,
            task_id=named.task_id,
            state=State(row.state),
            schedule_id=named.schedule_id or "",
            executor=row.executor,
            level=named.priority + named.boost,
            attempt=row.attempts[place] if place < len(row.attempts) else 0,
            actor=row.actor,
            detail=row.detail,
        )
