"""The times of day that three cron fields name: every hour x minute x second of three sets."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import time


@dataclass(frozen=True, slots=True)
class TimesOfDay:
    """Sorted, non-empty values of the hour, minute and second fields."""

    hours: tuple[int, ...]
    minutes: tuple[int, ...]
    seconds: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.hours) * len(self.minutes) * len(self.seconds)

    @property
    def first(self) -> time:
        """The earliest of the day."""
        return time(self.hours[0], self.minutes[0], self.seconds[0])

    @property
    def last(self) -> time:
        """The latest of the day."""
        return time(self.hours[-1], self.minutes[-1], self.seconds[-1])

    def at_or_after(self, moment: time) -> time | None:
        """The earliest that is not before `moment` (whole seconds); None when the day has no more."""
        hour = bisect_left(self.hours, moment.hour)
        if hour < len(self.hours) and self.hours[hour] == moment.hour:
            found = self._later_in_hour(moment)
            if found is not None:
                return found
            hour += 1
        if hour == len(self.hours):
            return None
        return time(self.hours[hour], self.minutes[0], self.seconds[0])

    def at_or_before(self, moment: time) -> time | None:
        """The latest that is not after `moment` (whole seconds); None when the day had none yet."""
        hour = bisect_right(self.hours, moment.hour) - 1
        if hour >= 0 and self.hours[hour] == moment.hour:
            found = self._earlier_in_hour(moment)
            if found is not None:
                return found
            hour -= 1
        if hour < 0:
            return None
        return time(self.hours[hour], self.minutes[-1], self.seconds[-1])

    def rank(self, moment: time) -> int:
        """How many are not after `moment` (whole seconds)."""
        count = bisect_left(self.hours, moment.hour) * len(self.minutes) * len(self.seconds)
        if moment.hour in self.hours:
            count += bisect_left(self.minutes, moment.minute) * len(self.seconds)
            if moment.minute in self.minutes:
                count += bisect_right(self.seconds, moment.second)
        return count

    def _later_in_hour(self, moment: time) -> time | None:
        minute = bisect_left(self.minutes, moment.minute)
        if minute < len(self.minutes) and self.minutes[minute] == moment.minute:
            second = bisect_left(self.seconds, moment.second)
            if second < len(self.seconds):
                return time(moment.hour, moment.minute, self.seconds[second])
            minute += 1
        if minute == len(self.minutes):
            return None
        return time(moment.hour, self.minutes[minute], self.seconds[0])

    def _earlier_in_hour(self, moment: time) -> time | None:
        minute = bisect_right(self.minutes, moment.minute) - 1
        if minute >= 0 and self.minutes[minute] == moment.minute:
            second = bisect_right(self.seconds, moment.second) - 1
            if second >= 0:
                return time(moment.hour, moment.minute, self.seconds[second])
            minute -= 1
        if minute < 0:
            return None
        return time(moment.hour, self.minutes[minute], self.seconds[-1])
