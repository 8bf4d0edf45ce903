"""The ledger of fires."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zlib import crc32

from sqlalchemy import exists, func, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.fire import Disposition, Fire, FireKey, FireKind
from scheduler_service.store import tables
from scheduler_service.store.rows import fire_of
from scheduler_service.store.statements import SQL
from scheduler_service.store.tables import SHARDS
from service_kit.postgres import raw

_FIRES = tables.fires


@dataclass(frozen=True, slots=True)
class NewFire:
    """A fire to record, and the due task to send for it (None: nothing)."""

    namespace: str
    incarnation: UUID
    key: str
    fire: Fire
    due_task: bytes | None
    takes_run: bool = False
    """Whether it is one of the `max_runs` of its schedule, as long as the queue does not keep it out."""


async def record(connection: AsyncConnection, fires: Sequence[NewFire], now: datetime) -> list[int | None]:
    """Stores fires and what is to be sent, in that order, in one statement.

    Returns the number of each; None for one that had been recorded before, which is left as it is. The
    schedules are locked by this transaction, so that the numbers of their fires rise in commit order.
    """
    if not fires:
        return []
    driver = await raw(connection)
    numbers: list[int | None] = [None] * len(fires)
    columns = zip(*(_columns(new) for new in fires), strict=True)
    for row in await driver.fetch(SQL["record_fires"], *(list(column) for column in columns), now):
        numbers[row["place"] - 1] = row["id"]
    return numbers


def sent(fires: Sequence[NewFire], numbers: Sequence[int | None]) -> Counter[UUID]:
    """How many of the fires `record` has put on their way, by incarnation of their schedule."""
    return Counter(
        new.incarnation
        for new, number in zip(fires, numbers, strict=True)
        if number is not None and new.due_task is not None
    )


async def by_numbers(connection: AsyncConnection, numbers: Iterable[int]) -> dict[int, Fire]:
    """The fires of those numbers, as far as they are kept."""
    rows = await connection.execute(select(_FIRES).where(_FIRES.c.id.in_(list(numbers))))
    return {row["id"]: fire_of(row) for row in rows.mappings()}


async def by_key(connection: AsyncConnection, identity: FireKey) -> Fire | None:
    """The fire of that identity."""
    query = select(_FIRES).where(
        _FIRES.c.incarnation == identity.incarnation,
        _FIRES.c.kind == int(identity.kind),
        _FIRES.c.key == identity.key,
    )
    row = (await connection.execute(query)).mappings().first()
    return None if row is None else fire_of(row)


async def has_record(connection: AsyncConnection, incarnation: UUID, instant: datetime) -> bool:
    """Whether a fire by time, alone or in a range, settles `instant` for that incarnation."""
    last = func.coalesce(_FIRES.c.last_nominal_at, _FIRES.c.nominal_at)
    found = exists().where(
        _FIRES.c.incarnation == incarnation,
        _FIRES.c.kind == int(FireKind.TIME),
        _FIRES.c.nominal_at <= instant,
        last >= instant,
    )
    return bool(await connection.scalar(select(found)))


Position = tuple[datetime, int]
"""Where a page of fires ended: nominal instant and number of its last fire."""


async def page(
    connection: AsyncConnection,
    namespace: str,
    schedule_id: str,
    disposition: Disposition | None,
    before: Position | None,
    limit: int,
    backfill_id: str = "",
) -> list[tuple[int, Fire]]:
    """Number and fire, latest first; of one backfill, if given."""
    query = select(_FIRES).where(_FIRES.c.namespace == namespace, _FIRES.c.schedule_id == schedule_id)
    if disposition is not None:
        query = query.where(_FIRES.c.disposition == int(disposition))
    if backfill_id:
        # The first condition lets the partial index on backfills be used.
        query = query.where(_FIRES.c.backfill_id != text("''"), _FIRES.c.backfill_id == backfill_id)
    if before is not None:
        query = query.where(tuple_(_FIRES.c.nominal_at, _FIRES.c.id) < tuple_(*before))
    query = query.order_by(_FIRES.c.nominal_at.desc(), _FIRES.c.id.desc()).limit(limit)
    return [(row["id"], fire_of(row)) for row in (await connection.execute(query)).mappings()]


def shard(namespace: str, schedule_id: str) -> int:
    """The part of the outbox that carries a schedule's fires; the same for ever."""
    return crc32(f"{namespace}/{schedule_id}".encode()) % SHARDS


def _columns(new: NewFire) -> tuple[object, ...]:
    fire = new.fire
    return (
        new.namespace,
        fire.schedule_id,
        new.incarnation,
        fire.generation,
        int(fire.kind),
        new.key,
        fire.fire_id,
        fire.nominal,
        fire.last_nominal,
        fire.count,
        fire.local_time,
        fire.utc_offset,
        int(fire.disposition),
        fire.detail,
        fire.event,
        fire.actor,
        new.due_task,
        shard(new.namespace, fire.schedule_id),
        new.takes_run,
        fire.backfill_id,
    )
