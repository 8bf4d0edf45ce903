"""The feed of outcomes: history in commit order.

A row counts as readable once every transaction up to its own has ended: below the snapshot's xmin no row
can appear any more, so nothing that commits late is passed over.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, Select, Text, and_, cast, literal, text, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from queue_service.domain.cursor import START, Cursor
from queue_service.domain.errors import CursorGone
from queue_service.domain.outcome import Outcome
from queue_service.domain.task import Attempt
from queue_service.store.records import attempts, history
from queue_service.store.rows import ended_attempt, ended_task
from queue_service.store.selections import ended_tasks
from queue_service.store.statements import SQL, read_freely
from queue_service.store.xids import xid
from service_kit.postgres import Database, raw

_EDGES: Final = text(
    "SELECT pg_snapshot_xmin(s)::text AS xmin, pg_snapshot_xmax(s)::text AS xmax,"
    " (SELECT xid::text FROM queue.watermarks WHERE name = 'outcomes') AS floor"
    " FROM pg_current_snapshot() AS s"
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which outcomes: those of scheduled tasks or all, of one namespace and queue or of every one."""

    all_tasks: bool = False
    namespace: str = ""
    queue: str = ""


class OutcomeStore:
    """Reads the feed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def end(self) -> Cursor:
        """The position from which on only what ends from now on is read (and a little before)."""

        async def read(connection: AsyncConnection) -> Cursor:
            return Cursor(int((await connection.execute(_EDGES)).one().xmin), 0)

        return await self._database.unit(read, readonly=True)

    async def awaited(self, namespace: str, queue: str, now: datetime) -> tuple[set[int], Cursor]:
        """The tasks that are due at `now` and that executors can be offered, and where their ends begin.

        A task that waits for a retry counts as due. Both are of one snapshot, so no end is missed.
        """

        async def read(connection: AsyncConnection) -> tuple[set[int], Cursor]:
            await read_freely(connection)
            row = await (await raw(connection)).fetchrow(SQL["awaited"], namespace, queue, now)
            assert row is not None
            return set(row["ids"]), Cursor(int(row["xmin"]), 0)

        return await self._database.unit(read, readonly=True)

    async def after(self, cursor: Cursor, wanted: Wanted, limit: int) -> tuple[list[Outcome], Cursor]:
        """Up to `limit` outcomes after `cursor`, and the position behind them.

        Raises CursorGone when outcomes after `cursor` are not kept any more, or when the database never came
        as far as `cursor`.
        """

        async def read(connection: AsyncConnection) -> tuple[list[Outcome], Cursor]:
            edges = (await connection.execute(_EDGES)).one()
            xmin = int(edges.xmin)
            _check(cursor, int(edges.xmax), None if edges.floor is None else int(edges.floor))
            rows = (await connection.execute(_selection(cursor, xmin, wanted).limit(limit))).all()
            outcomes = [_outcome(row) for row in rows]
            full = len(outcomes) == limit
            return outcomes, outcomes[-1].cursor if full else max(cursor, Cursor(xmin, 0))

        return await self._database.unit(read, readonly=True)


def _check(cursor: Cursor, xmax: int, floor: int | None) -> None:
    if cursor != START and floor is not None and cursor.xid <= floor:
        raise CursorGone("outcomes after this cursor have left the history")
    if cursor.xid > xmax:
        raise CursorGone("the cursor is ahead of this database, which may be an older copy")


_LAST: Final = [column.label(f"last_attempt_{column.name}") for column in attempts.c]


def _selection(cursor: Cursor, xmin: int, wanted: Wanted) -> Select[Any]:
    last = and_(attempts.c.token == history.c.last_token, attempts.c.ended_at == history.c.last_ended_at)
    position = tuple_(xid(cursor.xid), literal(cursor.id))
    selection = (
        ended_tasks()
        .add_columns(cast(history.c.xid, Text).label("xid_text"), *_LAST)
        .outerjoin(attempts, last)
        .where(tuple_(history.c.xid, history.c.id) > position, history.c.xid < xid(xmin))
        .order_by(history.c.xid, history.c.id)
    )
    if not wanted.all_tasks:
        selection = selection.where(history.c.schedule_id.is_not(None))
    if wanted.namespace:
        selection = selection.where(history.c.namespace == wanted.namespace)
    if wanted.queue:
        selection = selection.where(history.c.queue == wanted.queue)
    return selection


def _outcome(row: Row[Any]) -> Outcome:
    return Outcome(Cursor(int(row.xid_text), row.id), ended_task(row), row.attempts, _last_attempt(row))


def _last_attempt(row: Row[Any]) -> Attempt | None:
    if row.last_attempt_token is None:
        return None
    return ended_attempt(_Prefixed(row))


class _Prefixed:
    """The columns of `attempts` in a row that has them under longer names."""

    def __init__(self, row: Row[Any]) -> None:
        self._row = row

    def __getattr__(self, name: str) -> Any:
        return getattr(self._row, f"last_attempt_{name}")
