"""When the clock of a zone gets to a reading."""

from datetime import UTC, datetime, timedelta
from typing import Final

from scheduler_service.domain.zones import Zone

_MARGIN: Final = timedelta(days=2)
"""A reading and its instant are closer than this, the one taken as if it were UTC."""


def first_reached(where: Zone, wall: datetime) -> datetime:
    """The first instant at which the clock reads `wall` or later.

    That is the reading's own instant, its first pass when the clock reads it twice, and the end of the gap
    when it never does.
    """
    middle = wall.replace(tzinfo=UTC)
    start, until = middle - _MARGIN, middle + _MARGIN
    offset = where.offset(start)
    for change in where.changes(start, until):
        found = max(start, middle - offset)
        if found < change.at:
            return found
        start, offset = change.at, change.after
    return max(start, middle - offset)
