"""Which stored events."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Events of a namespace. Empty texts and None do not select."""

    namespace: str
    type: str = ""
    """`*` stands for any characters."""
    source: str = ""
    since: datetime | None = None
    """First instant at which they came in, itself included."""
    until: datetime | None = None
    """End, itself not included."""
