"""States of a task and what moves it: the one table that SQL, wire and tests are compared with.

The numbers are those of the wire (`batonpass.queue.v1`) and of the database.
"""

from collections.abc import Mapping
from enum import Enum, IntEnum, auto
from types import MappingProxyType
from typing import Final


class State(IntEnum):
    """Where a task is in its life."""

    SCHEDULED = 1
    WAITING = 2
    OFFERED = 3
    RUNNING = 4
    SUCCEEDED = 5
    DEAD = 6
    CANCELLED = 7
    EXPIRED = 8
    SKIPPED = 9


class LeaseState(IntEnum):
    """How far a lease has come; decides between OFFERED and RUNNING."""

    OFFERED = 1
    RUNNING = 2


class Result(IntEnum):
    """How one attempt ended."""

    SUCCEEDED = 1
    FAILED = 2
    LOST = 3
    CANCELLED = 4


class Category(IntEnum):
    """Why an attempt failed; NONE when it did not."""

    NONE = 0
    EXIT = 1
    SIGNAL = 2
    TIMEOUT = 3
    OUT_OF_MEMORY = 4
    REJECTED = 5
    HANDLER = 6


class Kind(IntEnum):
    """What the audit trail says happened to a task."""

    ENQUEUED = 1
    OFFERED = 2
    STARTED = 3
    RETURNED = 4
    RETRYING = 5
    ENDED = 6
    REPRIORITIZED = 7
    CANCEL_REQUESTED = 8


class Event(Enum):
    """What can happen to a task that has not ended."""

    DUE = auto()
    """Its `run_at` came."""
    OFFER = auto()
    """Proposed to an executor's session."""
    PULL = auto()
    """Leased by a pull client, which starts it at once."""
    ACCEPT = auto()
    RETURN = auto()
    """Declined, revoked, or given back by a goodbye: no attempt burnt."""
    SUCCEED = auto()
    RETRY = auto()
    """The attempt failed or was lost, and another one follows after a wait."""
    BURY = auto()
    """The attempt failed or was lost, and none follows."""
    CANCEL = auto()
    """Ended by a cancel, at once or when its executor reported."""
    EXPIRE = auto()


TRANSITIONS: Final[Mapping[tuple[State, Event], State]] = MappingProxyType(
    {
        (State.SCHEDULED, Event.DUE): State.WAITING,
        (State.SCHEDULED, Event.CANCEL): State.CANCELLED,
        (State.SCHEDULED, Event.EXPIRE): State.EXPIRED,
        (State.WAITING, Event.OFFER): State.OFFERED,
        (State.WAITING, Event.PULL): State.RUNNING,
        (State.WAITING, Event.CANCEL): State.CANCELLED,
        (State.WAITING, Event.EXPIRE): State.EXPIRED,
        (State.OFFERED, Event.ACCEPT): State.RUNNING,
        (State.OFFERED, Event.RETURN): State.WAITING,
        (State.OFFERED, Event.SUCCEED): State.SUCCEEDED,
        (State.OFFERED, Event.RETRY): State.SCHEDULED,
        (State.OFFERED, Event.BURY): State.DEAD,
        (State.OFFERED, Event.CANCEL): State.CANCELLED,
        (State.RUNNING, Event.RETURN): State.WAITING,
        (State.RUNNING, Event.SUCCEED): State.SUCCEEDED,
        (State.RUNNING, Event.RETRY): State.SCHEDULED,
        (State.RUNNING, Event.BURY): State.DEAD,
        (State.RUNNING, Event.CANCEL): State.CANCELLED,
    }
)

FINAL: Final = frozenset({State.SUCCEEDED, State.DEAD, State.CANCELLED, State.EXPIRED, State.SKIPPED})
"""States that nothing leaves (a redrive starts a new chain instead)."""

LIVE: Final = frozenset(State) - FINAL
"""States of the rows in `tasks`."""


def after(state: State, event: Event) -> State | None:
    """The state that `event` leads to; None when it cannot happen in `state`."""
    return TRANSITIONS.get((state, event))


def live_state(lease: LeaseState | None, *, due: bool) -> State:
    """State of a task that has not ended: its lease decides, else whether its `run_at` has come."""
    match lease:
        case LeaseState.OFFERED:
            return State.OFFERED
        case LeaseState.RUNNING:
            return State.RUNNING
        case None:
            return State.WAITING if due else State.SCHEDULED
