"""New schedules, and which requests made them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.schedule import Schedule
from scheduler_service.store.rows import columns_of, schedule_of
from scheduler_service.store.sources import source_is_there
from scheduler_service.store.statements import SQL
from service_kit.postgres import raw


@dataclass(frozen=True, slots=True)
class NewSchedule:
    """A schedule to store, and the request that asks for it (empty: one that is not repeatable)."""

    schedule: Schedule
    request_id: str
    fingerprint: bytes


class RequestRaced(Exception):
    """A request id was used by somebody else meanwhile; everything is to be undone and done again."""


async def insert(
    connection: AsyncConnection, wanted: Sequence[NewSchedule], actor: str, now: datetime
) -> set[UUID]:
    """Stores those whose ids are free, with statistics, request and audit record; returns their incarnations.

    Of two with one id the first is stored. Raises RequestRaced, Aborted.
    """
    if not wanted:
        return set()
    in_order = sorted(wanted, key=lambda new: (new.schedule.namespace, new.schedule.schedule_id))
    driver = await raw(connection)
    with source_is_there():
        rows = await driver.fetch(
            SQL["create_schedules"],
            json.dumps([columns_of(new.schedule) | {"fire_count": 0} for new in in_order], default=_text),
            [new.schedule.incarnation for new in in_order],
            [new.request_id for new in in_order],
            [new.fingerprint for new in in_order],
            actor,
            now,
        )
    if any(row["raced"] for row in rows):
        raise RequestRaced
    return {row["incarnation"] for row in rows}


async def created_before(
    connection: AsyncConnection, namespace: str, request_ids: Sequence[str]
) -> dict[str, tuple[bytes, Schedule]]:
    """What earlier requests of those ids asked for (their fingerprints) and made."""
    driver = await raw(connection)
    rows = await driver.fetch(SQL["created_before"], namespace, request_ids)
    return {row["request_id"]: (row["fingerprint"], schedule_of(row)) for row in rows}


def _text(value: Any) -> str:
    """As PostgreSQL reads it."""
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    return value.isoformat() if isinstance(value, datetime) else str(value)
