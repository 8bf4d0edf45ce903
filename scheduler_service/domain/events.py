"""Events and the chains of triggers they make."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from scheduler_service.domain.fire import Disposition

DEFAULT_SOURCE: Final = "batonpass"
TASK_COMPLETED: Final = "task.completed"
ERROR_CRITICAL: Final = "error.critical"
SCHEDULE_OVERDUE: Final = "schedule.overdue"
OUTCOME_TYPES: Final = frozenset({TASK_COMPLETED, ERROR_CRITICAL})
"""Emitted by the scheduler itself when a task ends SUCCEEDED or DEAD."""
SYSTEM_TYPES: Final = OUTCOME_TYPES | {SCHEDULE_OVERDUE}
"""Emitted by the scheduler itself; the last one when a schedule has not fired in time."""

MAX_DEPTH: Final = 8
"""The longest chain of triggers; a schedule that triggers itself stops here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """CloudEvents attributes, defaults filled in."""

    namespace: str
    source: str
    event_id: str
    type: str
    subject: str
    time: datetime
    data: bytes
    depth: int = 0
    """Triggers that led here: 0 from outside, one more than the task's for an event of a task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which stored events: those of a namespace. Empty texts and None do not select."""

    namespace: str
    type: str = ""
    """`*` stands for any characters."""
    source: str = ""
    since: datetime | None = None
    """First instant at which they came in, itself included."""
    until: datetime | None = None
    """End, itself not included."""


def event_disposition(depth: int) -> tuple[Disposition, str]:
    """What a schedule that listens makes of an event of that depth, and the detail to record."""
    if depth <= MAX_DEPTH:
        return Disposition.PENDING, ""
    return Disposition.LOOP_CUT, f"a chain of {depth} triggers, the longest allowed is {MAX_DEPTH}"
