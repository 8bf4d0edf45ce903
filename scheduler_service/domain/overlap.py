"""What happens when a schedule comes due while a task of it is still in the queue; judged by the queue."""

from enum import IntEnum

from scheduler_service.domain.timing import Timing


class Overlap(IntEnum):
    """Numbered as on the wire."""

    DEFAULT = 0
    SKIP = 1
    BUFFER_ONE = 2
    BUFFER_ALL = 3
    CANCEL_OTHER = 4
    TERMINATE_OTHER = 5
    ALLOW_ALL = 6


def effective_overlap(overlap: Overlap, timing: Timing) -> Overlap:
    """The policy in force: unset means SKIP for time, BUFFER_ALL for events."""
    if overlap is not Overlap.DEFAULT:
        return overlap
    return Overlap.SKIP if timing.event is None else Overlap.BUFFER_ALL
