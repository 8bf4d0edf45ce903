"""Intervals: the instants `epoch + phase + n * every`, for every whole n."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from scheduler_service.domain.spec import IntervalSpec

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Interval:
    """Never drifts: each instant is computed from the epoch, none from the one before."""

    spec: IntervalSpec

    def next_after(self, instant: datetime) -> datetime | None:
        """The first one later than `instant`."""
        return self._nth(self._index(instant) + 1)

    def previous_at_or_before(self, instant: datetime) -> datetime | None:
        """The last one not later than `instant`."""
        return self._nth(self._index(instant))

    def count(self, after: datetime, until: datetime) -> int | None:
        """How many there are in (after, until]."""
        return max(0, self._index(until) - self._index(after))

    def _index(self, instant: datetime) -> int:
        """n of the last one not later than `instant`."""
        return (instant - _EPOCH - self.spec.phase) // self.spec.every

    def _nth(self, n: int) -> datetime | None:
        try:
            return _EPOCH + self.spec.phase + n * self.spec.every
        except OverflowError:
            return None


def whole_milliseconds(duration: timedelta) -> bool:
    """Whether `duration` is a whole number of milliseconds."""
    return duration % timedelta(milliseconds=1) == timedelta()
