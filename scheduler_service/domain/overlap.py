"""What happens when a schedule comes due while a task of it is still in the queue; judged by the queue."""

from enum import IntEnum

from scheduler_service.domain.spec import EventSpec, Spec


class Overlap(IntEnum):
    """Numbered as on the wire."""

    DEFAULT = 0
    SKIP = 1
    BUFFER_ALL = 3
    ALLOW_ALL = 6


def effective_overlap(overlap: Overlap, spec: Spec) -> Overlap:
    """The policy in force: unset means SKIP for time, BUFFER_ALL for events."""
    if overlap is not Overlap.DEFAULT:
        return overlap
    return Overlap.BUFFER_ALL if isinstance(spec, EventSpec) else Overlap.SKIP
