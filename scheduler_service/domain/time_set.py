"""Sets of time: stretches that do not touch, kept by the year in which they lie."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Final, NamedTuple

from scheduler_service.domain.daylight import FIRST_YEAR, LAST_YEAR

YEARS: Final = 10
"""How many years a search goes beyond the one it starts in."""

_REMEMBERED: Final = 64
"""Years that a set keeps."""


class Span(NamedTuple):
    """From an instant to another one, which is not part of it."""

    start: datetime
    until: datetime


class TimeSet:
    """A set of instants. What lies in a year (UTC) is worked out when it is first asked for.

    Nothing lies outside of the years 1970 to 8999.
    """

    def __init__(self, of_year: Callable[[int], Iterable[Span]]) -> None:
        """`of_year` gives the stretches of a year, in any order; they may overlap and reach beyond it."""
        self._of_year = of_year
        self._years: dict[int, tuple[Span, ...]] = {}

    def of_year(self, year: int) -> tuple[Span, ...]:
        """The stretches within a year, earliest first; one that reaches beyond it is cut."""
        found = self._years.get(year)
        if found is None:
            if len(self._years) >= _REMEMBERED:
                self._years.clear()
            reachable = FIRST_YEAR <= year <= LAST_YEAR
            found = tuple(merged(clipped(self._of_year(year), year_of(year)))) if reachable else ()
            self._years[year] = found
        return found

    def covers(self, instant: datetime) -> bool:
        """Whether it is in the set."""
        return self._cut(instant) is not None

    def at(self, instant: datetime) -> Span | None:
        """The whole stretch in which it lies, ten years to either side at most; None when it lies in none."""
        found = self._cut(instant)
        if found is None:
            return None
        start, until = found
        for year in range(instant.year - 1, instant.year - YEARS - 1, -1):
            before = self.of_year(year)
            if start != year_of(year).until or not before or before[-1].until != start:
                break
            start = before[-1].start
        return Span(start, self._joined(until, instant.year))

    def next_after(self, instant: datetime) -> Span | None:
        """The first stretch that starts after `instant`; None when there is none within ten years."""
        for year in range(instant.year, instant.year + YEARS + 1):
            for start, until in self._after(year, instant):
                if start != year_of(year).start or not self._ends(year - 1):
                    return Span(start, self._joined(until, year))
        return None

    def last_by(self, instant: datetime) -> Span | None:
        """The last stretch that starts at `instant` or earlier; None when there is none within ten years."""
        for year in range(instant.year, instant.year - YEARS - 1, -1):
            stretches = self.of_year(year)
            place = bisect_right(stretches, instant, key=_start) - 1
            if place >= 0:
                return self.at(stretches[place].start)
        return None

    def _cut(self, instant: datetime) -> Span | None:
        stretches = self.of_year(instant.year)
        place = bisect_right(stretches, instant, key=_start) - 1
        return stretches[place] if place >= 0 and instant < stretches[place].until else None

    def _after(self, year: int, instant: datetime) -> tuple[Span, ...]:
        stretches = self.of_year(year)
        return stretches[bisect_right(stretches, instant, key=_start) :]

    def _ends(self, year: int) -> bool:
        """Whether it covers the last moment of the year."""
        stretches = self.of_year(year)
        return bool(stretches) and stretches[-1].until == year_of(year).until

    def _joined(self, until: datetime, year: int) -> datetime:
        """The end of a stretch that ends in `year` at `until`, or goes on in the next one."""
        for following in range(year + 1, year + YEARS + 1):
            after = self.of_year(following)
            if until != year_of(following).start or not after or after[0].start != until:
                break
            until = after[0].until
        return until


def union(sets: Iterable[TimeSet]) -> TimeSet:
    """What lies in any of them."""
    parts = tuple(sets)
    return TimeSet(lambda year: (stretch for part in parts for stretch in part.of_year(year)))


def complement(whole: TimeSet) -> TimeSet:
    """What does not lie in it."""
    return TimeSet(lambda year: _gaps(whole.of_year(year), year_of(year)))


def year_of(year: int) -> Span:
    """The year, by UTC."""
    return Span(datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC))


def clipped(stretches: Iterable[Span], bounds: Span) -> Iterator[Span]:
    """The parts that lie within `bounds`."""
    for start, until in stretches:
        part = Span(max(start, bounds.start), min(until, bounds.until))
        if part.start < part.until:
            yield part


def merged(stretches: Iterable[Span]) -> list[Span]:
    """The same instants in stretches that do not touch, earliest first."""
    found: list[Span] = []
    for start, until in sorted(stretches):
        if found and start <= found[-1].until:
            found[-1] = Span(found[-1].start, max(found[-1].until, until))
        else:
            found.append(Span(start, until))
    return found


def _gaps(stretches: Iterable[Span], bounds: Span) -> Iterator[Span]:
    end = bounds.start
    for start, until in stretches:
        if end < start:
            yield Span(end, start)
        end = until
    if end < bounds.until:
        yield Span(end, bounds.until)


def _start(stretch: Span) -> datetime:
    return stretch.start
