"""Backfills, and how far they are."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.backfill import Backfill, BackfillState
from scheduler_service.domain.overlap import Overlap
from scheduler_service.domain.schedule import Schedule
from scheduler_service.store import tables
from scheduler_service.store.calendars import with_calendars
from scheduler_service.store.rows import Row, schedule_of
from scheduler_service.store.timings import timing_of, timing_text
from service_kit.postgres import raw
from service_kit.queries import load_queries

_SQL: Final = load_queries(Path(__file__).with_name("backfills.sql"))
_BACKFILLS = tables.backfills


async def insert_new(
    connection: AsyncConnection, backfill: Backfill, request_id: str, fingerprint: bytes
) -> bool:
    """False when the request id was used before."""
    values = {
        "namespace": backfill.namespace,
        "backfill_id": backfill.backfill_id,
        "schedule_id": backfill.schedule_id,
        "incarnation": backfill.incarnation,
        "timing": timing_text(backfill.timing),
        "from_at": backfill.from_at,
        "until_at": backfill.until_at,
        "per_minute": backfill.per_minute,
        "overlap": int(backfill.overlap),
        "priority": backfill.priority,
        "total": backfill.total,
        "actor": backfill.actor,
        "request_id": request_id,
        "fingerprint": fingerprint,
        "created_at": backfill.created_at,
        **_standing(backfill),
    }
    made = await connection.execute(insert(_BACKFILLS).values(values).on_conflict_do_nothing())
    return bool(made.rowcount)


async def created_before(
    connection: AsyncConnection, namespace: str, request_id: str
) -> tuple[bytes, Backfill] | None:
    """What an earlier request of that id asked for (its fingerprint) and made."""
    query = select(_BACKFILLS).where(
        _BACKFILLS.c.namespace == namespace,
        _BACKFILLS.c.request_id == request_id,
        _BACKFILLS.c.request_id != "",
    )
    row = (await connection.execute(query)).mappings().first()
    return None if row is None else (row["fingerprint"], _backfill_of(row))


async def read(connection: AsyncConnection, namespace: str, backfill_id: str) -> Backfill | None:
    """As it is now."""
    query = select(_BACKFILLS).where(
        _BACKFILLS.c.namespace == namespace, _BACKFILLS.c.backfill_id == backfill_id
    )
    row = (await connection.execute(query)).mappings().first()
    return None if row is None else _backfill_of(row)


async def page(
    connection: AsyncConnection,
    namespace: str,
    schedule_id: str,
    state: BackfillState | None,
    before: str,
    limit: int,
) -> Sequence[Backfill]:
    """At most `limit`, latest first, beyond the id `before`; of one schedule and in one state, if given."""
    query = select(_BACKFILLS).where(_BACKFILLS.c.namespace == namespace)
    if schedule_id:
        query = query.where(_BACKFILLS.c.schedule_id == schedule_id)
    if state is not None:
        query = query.where(_BACKFILLS.c.state == int(state))
    if before:
        query = query.where(_BACKFILLS.c.backfill_id < before)
    query = query.order_by(_BACKFILLS.c.backfill_id.desc()).limit(limit)
    return [_backfill_of(row) for row in (await connection.execute(query)).mappings()]


async def claim(connection: AsyncConnection, now: datetime) -> tuple[Schedule, Backfill] | None:
    """A backfill whose turn seemed to have come, and its schedule, both locked."""
    driver = await raw(connection)
    row = await driver.fetchrow(_SQL["claim_backfill"], now)
    if row is None:
        return None
    locked = await lock(connection, row["namespace"], row["backfill_id"])
    (schedule,) = await with_calendars(connection, [schedule_of(row)])
    return None if locked is None else (schedule, locked)


async def lock(connection: AsyncConnection, namespace: str, backfill_id: str) -> Backfill | None:
    """As it is now, locked until the transaction ends."""
    row = await (await raw(connection)).fetchrow(_SQL["lock_backfill"], namespace, backfill_id)
    return None if row is None else _backfill_of(row)


async def save(connection: AsyncConnection, backfill: Backfill) -> None:
    """Writes how it stands, without what the queue said. The row is locked by this transaction."""
    statement = update(_BACKFILLS).where(
        _BACKFILLS.c.namespace == backfill.namespace, _BACKFILLS.c.backfill_id == backfill.backfill_id
    )
    await connection.execute(statement.values(_standing(backfill)))


async def next_turn(connection: AsyncConnection) -> datetime | None:
    """When the next backfill has its turn; None when none runs."""
    found: datetime | None = await (await raw(connection)).fetchval(_SQL["next_turn"])
    return found


async def cancel_of(connection: AsyncConnection, incarnation: UUID, now: datetime) -> None:
    """Cancels the backfills of a schedule that this transaction deletes."""
    driver = await raw(connection)
    await driver.execute(_SQL["cancel_backfills_of"], incarnation, now, int(BackfillState.CANCELLED))


def _standing(backfill: Backfill) -> dict[str, Any]:
    return {
        "state": int(backfill.state),
        "fired": backfill.fired,
        "next_at": backfill.next_at,
        "turn_at": backfill.turn_at,
        "ended_at": backfill.ended_at,
    }


def _backfill_of(row: Row) -> Backfill:
    return Backfill(
        namespace=row["namespace"],
        backfill_id=row["backfill_id"],
        schedule_id=row["schedule_id"],
        incarnation=row["incarnation"],
        timing=timing_of(row["timing"]),
        from_at=row["from_at"],
        until_at=row["until_at"],
        per_minute=row["per_minute"],
        overlap=Overlap(row["overlap"]),
        priority=row["priority"],
        state=BackfillState(row["state"]),
        total=row["total"],
        fired=row["fired"],
        accepted=row["accepted"],
        refused=row["refused"],
        next_at=row["next_at"],
        turn_at=row["turn_at"],
        actor=row["actor"],
        created_at=row["created_at"],
        ended_at=row["ended_at"],
    )
