"""Everything that says when a schedule comes due."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from scheduler_service.domain.spec import EventSpec, Spec


class Gap(IntEnum):
    """What a clock that is set forward does to a reading it never shows. Numbered as on the wire."""

    AUTO = 0
    AT_TRANSITION = 1
    SHIFT = 2
    SKIP = 3


class Fold(IntEnum):
    """What a clock that is set back does to a reading it shows twice. Numbered as on the wire."""

    AUTO = 0
    FIRST = 1
    LAST = 2
    BOTH = 3


class Closed(IntEnum):
    """What becomes of an instant that the calendars close; DEFAULT is SKIP. Numbered as on the wire."""

    DEFAULT = 0
    SKIP = 1
    DEFER_TO_END = 2
    PREVIOUS_BUSINESS_DAY = 3
    NEXT_BUSINESS_DAY = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """The instants of `specs` without those of `exclusions`, from `start` to `end`, both included."""

    specs: tuple[Spec, ...]
    time_zone: str = "UTC"
    exclusions: tuple[Spec, ...] = ()
    start: datetime | None = None
    end: datetime | None = None
    gap: Gap = Gap.AUTO
    fold: Fold = Fold.AUTO
    include_calendars: tuple[str, ...] = ()
    exclude_calendars: tuple[str, ...] = ()
    closed: Closed = Closed.DEFAULT
    """What becomes of instants that the calendars close."""
    jitter: timedelta = timedelta()
    spread: timedelta = timedelta()

    @property
    def calendars(self) -> frozenset[str]:
        """The ids of all calendars that it names."""
        return frozenset(self.include_calendars + self.exclude_calendars)

    @property
    def event(self) -> EventSpec | None:
        """The trigger of a schedule that events make due; None for one by time."""
        first = self.specs[0] if self.specs else None
        return first if isinstance(first, EventSpec) else None

    @property
    def is_delayed(self) -> bool:
        """Whether instants are handed over later than they are, by jitter or spread."""
        return bool(self.jitter or self.spread)
