"""What the queue says to an agent, before it becomes protobuf."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from queue_service.domain.lease import Lease, Ref
from queue_service.domain.limits import Limits
from queue_service.domain.terms import Terms


@dataclass(frozen=True, slots=True)
class Welcome:
    """The session has begun; `held` are the attempts that go on."""

    session: int
    terms: Terms
    held: Sequence[Ref]
    limits: Limits
    time: datetime


@dataclass(frozen=True, slots=True)
class Offers:
    """Work, with its payloads."""

    leases: Sequence[Lease]


@dataclass(frozen=True, slots=True)
class Revoke:
    """Offers taken back."""

    refs: Sequence[Ref]


@dataclass(frozen=True, slots=True)
class Cancel:
    """Attempts to stop."""

    refs: Sequence[Ref]
    grace: timedelta


@dataclass(frozen=True, slots=True)
class HeartbeatAck:
    """A beat is stored."""

    seq: int
    valid_for: timedelta


@dataclass(frozen=True, slots=True)
class ResultsAck:
    """Results are stored."""

    refs: Sequence[Ref]


@dataclass(frozen=True, slots=True)
class StaleLease:
    """Attempts that are not this session's any more."""

    refs: Sequence[Ref]


@dataclass(frozen=True, slots=True)
class Refused:
    """Something that was said could not be taken."""

    message: str
    field: str = ""


@dataclass(frozen=True, slots=True)
class Drain:
    """The service shuts down; the last message of a stream."""


@dataclass(frozen=True, slots=True)
class Superseded:
    """A newer session took over; the last message of a stream."""

    session: int


Farewell: TypeAlias = Drain | Superseded
Message: TypeAlias = (
    Welcome | Offers | Revoke | Cancel | HeartbeatAck | ResultsAck | StaleLease | Refused | Farewell
)
