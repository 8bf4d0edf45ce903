"""Fires: what came due, who it is, and what became of it."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from typing import Final
from urllib.parse import quote
from uuid import UUID

LONGEST_ID: Final = 128
_BASE32: Final = "abcdefghijklmnopqrstuvwxyz234567"
_DIGEST_SHIFTS: Final = range(45, -1, -5)


class FireKind(IntEnum):
    """How a fire came about. Numbered as on the wire."""

    TIME = 1
    EVENT = 2
    MANUAL = 3
    BACKFILL = 4


COUNTED: Final = (FireKind.TIME, FireKind.EVENT)
"""What `max_runs` and `pause_on_failure` are about; runs by hand and backfills are not."""


class Disposition(IntEnum):
    """What became of a fire; every one but PENDING is final. Numbered as on the wire."""

    PENDING = 1
    FIRED = 2
    SKIPPED_OVERLAP = 3
    REJECTED = 4
    COALESCED = 5
    SKIPPED_CALENDAR = 6
    DEFERRED = 7
    MISSED_WINDOW = 8
    PAUSED = 9
    LOOP_CUT = 10
    BATCHED = 11
    THROTTLED = 12


VERDICTS: Final = (Disposition.FIRED, Disposition.SKIPPED_OVERLAP, Disposition.REJECTED)
"""What the queue can make of a PENDING fire."""


@dataclass(frozen=True, slots=True)
class FireKey:
    """Identity of a fire: one for each (incarnation of the schedule, kind, key)."""

    incarnation: UUID
    kind: FireKind
    key: str


def time_key(nominal: datetime) -> str:
    """Key of a fire by time: its nominal instant, UTC, to the microsecond. A range has that of its first."""
    return nominal.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def event_key(source: str, event_id: str) -> str:
    """Key of a fire by an event. A source has no spaces, so two events never share a key."""
    return f"{source} {event_id}"


def replay_key(request_id: str, event: str) -> str:
    """Key of a fire by a replay of an event, given by its key. No source is empty, so none begins like it."""
    return f" {quote(request_id, safe='')} {event}"


def backfill_key(backfill_id: str, nominal: datetime) -> str:
    """Key of a fire of a backfill."""
    return f"{backfill_id} {time_key(nominal)}"


def fire_id(schedule_id: str, nominal: datetime, identity: FireKey) -> str:
    """Name of a fire and of the task it becomes, at most 128 characters of `[A-Za-z0-9_.-]`.

    `SCHEDULE.20260102T030405Z.abcdefghij`: made of the identity alone, so that sending it again is harmless;
    the digest keeps incarnations, kinds and instants of one second apart.
    """
    text = f"{identity.incarnation}\n{int(identity.kind)}\n{identity.key}"
    # The first 50 bits, as base32 has them.
    bits = int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big") >> 6
    digest = "".join([_BASE32[bits >> shift & 31] for shift in _DIGEST_SHIFTS])
    tail = f".{nominal.astimezone(UTC):%Y%m%dT%H%M%SZ}.{digest}"
    return schedule_id[: LONGEST_ID - len(tail)] + tail


@dataclass(frozen=True, slots=True, kw_only=True)
class Fire:
    """A fire as stored: one instant, or a range of instants of one disposition."""

    schedule_id: str
    kind: FireKind
    fire_id: str
    """Empty for a range."""
    nominal: datetime
    last_nominal: datetime | None
    """Last instant of a range; None for a single fire."""
    count: int
    """Instants in a range, 0 = too many to count; 1 for a single fire."""
    local_time: str
    utc_offset: str
    fired_at: datetime
    disposition: Disposition
    detail: str
    settled_at: datetime | None
    event: str
    generation: int
    actor: str
    backfill_id: str = ""
