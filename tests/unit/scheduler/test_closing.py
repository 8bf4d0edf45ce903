"""Schedules with calendars: which instants fire, and what becomes of the others; held against brute force."""

from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler_service.domain.calendar import CalendarRules, CalendarWindow, NamedRules, Period
from scheduler_service.domain.calendared import calendared, check_moves
from scheduler_service.domain.catch_up import Settled
from scheduler_service.domain.closing import MOST_RECORDS, Closing
from scheduler_service.domain.closure import Closure
from scheduler_service.domain.errors import InvalidSchedule
from scheduler_service.domain.fire import Disposition
from scheduler_service.domain.instants import MOST_COUNTED, Union
from scheduler_service.domain.spec import CronSpec, IntervalSpec, Spec
from scheduler_service.domain.timetable import Timetable, timetable
from scheduler_service.domain.timing import Closed, Timing
from scheduler_service.domain.zones import zone

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DEFERRED, SKIPPED = Disposition.DEFERRED, Disposition.SKIPPED_CALENDAR
WEEKENDS: NamedRules = ("weekends", CalendarRules(windows=(CalendarWindow("0 0 * * SAT", 2 * DAY),)))
NIGHTS: NamedRules = ("nights", CalendarRules(windows=(CalendarWindow("0 22 * * *", 8 * HOUR),)))


def instant(text: str) -> datetime:
    """`12-24T09:00` in 2026, UTC."""
    return datetime.fromisoformat(f"2026-{text}+00:00")


def closing(
    spec: Spec,
    *excluded: NamedRules,
    included: tuple[NamedRules, ...] = (),
    closed: Closed = Closed.SKIP,
    after: str = "01-01T00:00",
    end: datetime | None = None,
    time_zone: str = "UTC",
) -> Closing:
    timing = Timing(
        specs=(spec,),
        time_zone=time_zone,
        include_calendars=tuple(name for name, _ in included),
        exclude_calendars=tuple(name for name, _ in excluded),
        closed=closed,
        end=end,
    )
    table = calendared(timing, (*excluded, *included), "s", instant(after))
    assert isinstance(table, Closing)
    return table


def first(table: Timetable, after: str, count: int = 3) -> list[str]:
    found: list[str] = []
    reached = instant(after)
    while len(found) < count and (following := table.next_after(reached)) is not None:
        found.append(f"{following:%m-%dT%H:%M}")
        reached = following
    return found


def told(records: list[Settled]) -> list[tuple[str, str, int, str]]:
    return [
        (f"{each.nominal:%m-%dT%H:%M}", each.disposition.name, each.count, each.detail) for each in records
    ]


NINE = CronSpec("0 9 * * *")


def test_skip_leaves_closed_instants_out() -> None:
    table = closing(NINE, WEEKENDS)
    assert first(table, "01-02T00:00") == ["01-02T09:00", "01-05T09:00", "01-06T09:00"]
    records = table.closed(instant("01-01T00:00"), instant("01-11T00:00"))
    assert told(records) == [("01-03T09:00", "SKIPPED_CALENDAR", 3, "closed by calendar weekends")]


def test_included_calendar_closes_everything_else() -> None:
    table = closing(CronSpec("0 * * * *"), included=(NIGHTS,))
    assert first(table, "01-01T06:00", 2) == ["01-01T22:00", "01-01T23:00"]
    (record,) = table.closed(instant("01-01T05:30"), instant("01-01T21:30"))
    assert (record.count, record.detail) == (16, "outside of calendar nights")
    assert record.last_nominal == instant("01-01T21:00")


def test_deferred_instants_fire_once_when_it_opens() -> None:
    table = closing(CronSpec("30 * * * *"), NIGHTS, closed=Closed.DEFER_TO_END)
    assert first(table, "01-01T21:00") == ["01-01T21:30", "01-02T06:00", "01-02T06:30"]
    (record,) = table.closed(instant("01-01T21:30"), instant("01-02T06:30"))
    assert (record.disposition, record.count) == (DEFERRED, 8)
    assert record.detail == "closed by calendar nights; fires at 2026-01-02T06:00:00.000000Z"


def test_deferred_instant_that_meets_an_open_one_fires_once() -> None:
    table = closing(CronSpec("0 * * * *"), NIGHTS, closed=Closed.DEFER_TO_END)
    assert first(table, "01-01T21:00") == ["01-02T06:00", "01-02T07:00", "01-02T08:00"]


@pytest.mark.parametrize(
    ("closed", "fires"),
    [
        (Closed.NEXT_BUSINESS_DAY, ["01-05T09:00", "02-02T09:00", "03-02T09:00"]),
        (Closed.PREVIOUS_BUSINESS_DAY, ["01-02T09:00", "01-30T09:00", "02-27T09:00"]),
    ],
)
def test_closed_instant_moves_to_another_day_at_the_same_reading(closed: Closed, fires: list[str]) -> None:
    """3 January, 1 February and 1 March 2026 lie on weekends."""
    spec = CronSpec("0 9 1,3 1-3 *")
    table = closing(spec, WEEKENDS, closed=closed)
    moved = [text for text in first(table, "01-01T12:00", 8) if text in fires]
    assert moved == fires


def test_reading_is_kept_when_the_clock_changes() -> None:
    """Europe/Berlin goes to summer time on Sunday, 29 March 2026."""
    holiday = ("d", CalendarRules(time_zone="Europe/Berlin", dates=("2026-03-28",)))
    table = closing(
        CronSpec("0 9 28 3 *"), holiday, closed=Closed.NEXT_BUSINESS_DAY, time_zone="Europe/Berlin"
    )
    assert first(table, "03-27T00:00", 1) == ["03-29T07:00"]


def test_instant_whose_time_is_closed_every_day_is_skipped_and_says_so() -> None:
    table = closing(CronSpec("0 23 * * *"), NIGHTS, closed=Closed.NEXT_BUSINESS_DAY)
    assert table.next_after(instant("01-01T00:00")) is None
    (record,) = table.closed(instant("01-01T00:00"), instant("01-02T00:00"))
    assert record.disposition is SKIPPED
    assert record.detail == "closed by calendar nights, and so is its time on 366 days after it"


def test_day_that_has_passed_when_the_schedule_begins_does_not_count_as_fired() -> None:
    table = closing(NINE, WEEKENDS, closed=Closed.PREVIOUS_BUSINESS_DAY, after="01-03T00:00")
    (record,) = table.closed(instant("01-03T00:00"), instant("01-04T00:00"))
    assert record.disposition is SKIPPED
    assert record.detail.endswith(
        "would have been moved to 2026-01-02T09:00:00.000000Z, before the schedule began"
    )


def test_nothing_is_moved_beyond_the_end() -> None:
    end = instant("01-04T12:00")
    table = closing(NINE, WEEKENDS, closed=Closed.DEFER_TO_END, end=end)
    assert table.next_after(instant("01-02T09:00")) is None
    (record,) = table.closed(instant("01-03T00:00"), end)
    assert record.disposition is SKIPPED
    assert record.detail.endswith("after its end")


def test_calendar_that_never_opens_ends_the_search() -> None:
    always = ("always", CalendarRules(windows=(CalendarWindow("0 0 * * *", DAY),)))
    for closed in (Closed.SKIP, Closed.DEFER_TO_END, Closed.NEXT_BUSINESS_DAY):
        table = closing(NINE, always, closed=closed)
        assert table.next_after(instant("01-01T00:00")) is None
        assert table.closed(instant("01-01T00:00"), instant("01-02T00:00"))[0].disposition is SKIPPED


@pytest.mark.parametrize("opens", [(), ("2026-03-02",)], ids=["never", "in the past"])
@pytest.mark.parametrize("closed", [Closed.NEXT_BUSINESS_DAY, Closed.PREVIOUS_BUSINESS_DAY])
def test_calendar_that_does_not_open_any_more_is_searched_once(
    monkeypatch: pytest.MonkeyPatch, closed: Closed, opens: tuple[str, ...]
) -> None:
    looks = 0
    is_closed = Closure.is_closed

    def counted(self: Closure, at: datetime) -> bool:
        nonlocal looks
        looks += 1
        return is_closed(self, at)

    monkeypatch.setattr(Closure, "is_closed", counted)
    timing = Timing(specs=(CronSpec("0 * * * *"),), include_calendars=("c",), closed=closed)
    table = calendared(timing, (("c", CalendarRules(dates=opens)),), "s", instant("03-02T12:30"))
    expected = instant("03-02T23:00") if opens else None
    assert table.next_after(instant("03-02T22:30")) == expected
    assert looks < 4 * 24 * 366


def test_long_stretch_of_a_dense_schedule_is_one_record() -> None:
    table = closing(IntervalSpec(timedelta(seconds=1)), WEEKENDS)
    (record,) = table.closed(instant("01-02T12:00"), instant("01-05T12:00"))
    assert (record.nominal, record.last_nominal) == (
        instant("01-03T00:00"),
        instant("01-05T00:00") - timedelta(seconds=1),
    )
    assert record.count == 2 * 86_400


def test_stretches_of_a_dense_union_are_not_counted_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    visits = 0
    next_after = Union.next_after

    def counted(self: Union, at: datetime) -> datetime | None:
        nonlocal visits
        visits += 1
        return next_after(self, at)

    monkeypatch.setattr(Union, "next_after", counted)
    daily = CalendarRules(windows=(CalendarWindow("0 */6 * * *", 2 * HOUR),))
    timing = Timing(
        specs=(IntervalSpec(timedelta(seconds=1)), CronSpec("* * * * *")), exclude_calendars=("c",)
    )
    table = calendared(timing, (("c", daily),), "s", instant("03-02T00:00"))
    after, until = instant("03-02T00:00"), instant("04-01T00:00")
    assert isinstance(table, Closing)
    assert table.count(after, until) is None
    (record,) = table.closed(after, until)
    assert record.count == 0
    assert visits < 5 * MOST_COUNTED


def test_many_stretches_are_put_together() -> None:
    """As after a pause of a year: the number of records is bounded, that of instants exact."""
    table = closing(CronSpec("30 * * * *"), NIGHTS, closed=Closed.DEFER_TO_END)
    records = table.closed(instant("01-01T06:00"), instant("12-31T12:00"))
    assert len(records) <= MOST_RECORDS
    assert sum(each.count for each in records) == 364 * 8
    assert records[0].detail == "closed by calendar nights; fires when it is open"


def test_schedule_with_many_instants_a_day_cannot_move_them() -> None:
    timing = Timing(
        specs=(CronSpec("*/30 * * * *"),), exclude_calendars=("c",), closed=Closed.NEXT_BUSINESS_DAY
    )
    with pytest.raises(InvalidSchedule, match="calendar_disposition"):
        check_moves(timing, "")


# Brute force: every instant, one by one, by the rules alone.

START = datetime(2026, 3, 20, tzinfo=UTC)
LENGTH = 50
ZONES = ("UTC", "Europe/Berlin", "America/Havana", "Asia/Kolkata")


@st.composite
def rules(draw: st.DrawFn) -> CalendarRules:
    starts = draw(st.lists(st.integers(-10 * 24, (LENGTH + 10) * 24), max_size=6))
    periods = tuple(
        Period(START + hours * HOUR, START + hours * HOUR + draw(st.integers(1, 100)) * HOUR)
        for hours in starts
    )
    windows = draw(
        st.sampled_from(
            [
                (),
                WEEKENDS[1].windows,
                NIGHTS[1].windows,
                (CalendarWindow("15 8,12,13 * * *", timedelta(minutes=50)),),
            ]
        )
    )
    days = draw(st.lists(st.integers(0, LENGTH), max_size=4))
    dates = tuple(sorted({f"{START + day * DAY:%Y-%m-%d}" for day in days}))
    return CalendarRules(
        time_zone=draw(st.sampled_from(ZONES)), dates=dates, windows=windows, periods=periods
    )


@lru_cache(maxsize=100_000)
def covered(calendar: CalendarRules, at: datetime) -> bool:
    where = zone(calendar.time_zone)
    if f"{where.wall(at):%Y-%m-%d}" in calendar.dates:
        return True
    if any(period.start <= at < period.until for period in calendar.periods):
        return True
    for window in calendar.windows:
        table = timetable(Timing(specs=(CronSpec(window.cron),), time_zone=calendar.time_zone))
        opening = table.previous_at_or_before(at)
        if opening is not None and at < opening + window.duration:
            return True
    return False


def bounds(calendar: CalendarRules) -> Iterator[datetime]:
    """Every instant at which it may begin or end to cover."""
    for period in calendar.periods:
        yield from (period.start, period.until)
    for day in range(-1, LENGTH + 2):
        yield zone(calendar.time_zone).first_reached(START.replace(tzinfo=None) + day * DAY)
    for window in calendar.windows:
        table = timetable(Timing(specs=(CronSpec(window.cron),), time_zone=calendar.time_zone))
        opening = table.next_after(START - 3 * DAY)
        while opening is not None and opening < START + (LENGTH + 10) * DAY:
            yield from (opening, opening + window.duration)
            opening = table.next_after(opening)


SPECS: tuple[Spec, ...] = (
    NINE,
    CronSpec("30 23 * * *"),
    CronSpec("0 2 1,15,28 * *"),
    IntervalSpec(7 * HOUR),
    IntervalSpec(timedelta(hours=4, minutes=20)),
)


class Model:
    """What fires and what does not, from the words of the contract."""

    def __init__(self, timing: Timing, calendars: dict[str, CalendarRules], after: datetime) -> None:
        self.timing, self.calendars, self.after = timing, calendars, after
        self.where = zone(timing.time_zone)
        table = timetable(timing)
        self.base: list[datetime] = []
        reached = after
        while (found := table.next_after(reached)) is not None and found < START + LENGTH * DAY:
            self.base.append(found)
            reached = found
        ends = {to for each in calendars.values() for to in bounds(each)}
        self.opens = sorted(to for to in ends if not self.is_closed(to))

    def is_closed(self, at: datetime) -> bool:
        timing = self.timing
        outside = timing.include_calendars and not any(
            covered(self.calendars[name], at) for name in timing.include_calendars
        )
        return bool(outside) or any(covered(self.calendars[name], at) for name in timing.exclude_calendars)

    def moved(self, at: datetime) -> datetime | None:
        match self.timing.closed:
            case Closed.DEFER_TO_END:
                return next(iter(self.opens[bisect_right(self.opens, at) :]), None)
            case Closed.NEXT_BUSINESS_DAY | Closed.PREVIOUS_BUSINESS_DAY:
                step = DAY if self.timing.closed is Closed.NEXT_BUSINESS_DAY else -DAY
                for count in range(1, 367):
                    to = self.where.first_reached(self.where.wall(at) + count * step)
                    if not self.is_closed(to):
                        return to
        return None

    def fires(self) -> set[datetime]:
        found = set()
        for at in self.base:
            to = self.moved(at) if self.is_closed(at) else at
            if to is not None and to > self.after:
                found.add(to)
        return found


@st.composite
def cases(draw: st.DrawFn) -> tuple[Timing, dict[str, CalendarRules]]:
    names = draw(st.sampled_from([("a", ""), ("", "a"), ("a", "b"), ("", "ab"), ("ab", "")]))
    calendars = {name: draw(rules()) for name in sorted({*names[0], *names[1]})}
    timing = Timing(
        specs=(draw(st.sampled_from(SPECS)),),
        time_zone=draw(st.sampled_from(ZONES)),
        include_calendars=tuple(names[0]),
        exclude_calendars=tuple(names[1]),
        closed=draw(st.sampled_from(list(Closed))),
    )
    return timing, calendars


@settings(max_examples=8, deadline=None)
@given(cases())
def test_timetable_is_what_brute_force_finds(case: tuple[Timing, dict[str, CalendarRules]]) -> None:
    timing, calendars = case
    after, until = START + 5 * DAY, START + 25 * DAY
    table = calendared(timing, tuple(calendars.items()), "", after)
    assert isinstance(table, Closing)
    expected = sorted(at for at in Model(timing, calendars, after).fires() if at <= until)
    walked, reached = [], after
    while (found := table.next_after(reached)) is not None and found <= until:
        walked.append(found)
        reached = found
    assert walked == expected
    back, reached = [], until
    while (previous := table.previous_at_or_before(reached)) is not None:
        back.append(previous)
        reached = previous - timedelta(microseconds=1)
    assert back[::-1] == expected
    assert table.count(after, until) == len(expected)
    middle = START + 14 * DAY + 5 * HOUR
    assert table.count(middle, until) == sum(at > middle for at in expected)


@settings(max_examples=20, deadline=None)
@given(cases())
def test_every_closed_instant_has_one_record(case: tuple[Timing, dict[str, CalendarRules]]) -> None:
    timing, calendars = case
    after, until = START + 5 * DAY, START + 25 * DAY
    table = calendared(timing, tuple(calendars.items()), "", after)
    assert isinstance(table, Closing)
    model = Model(timing, calendars, after)
    closed = [at for at in model.base if at <= until and model.is_closed(at)]
    records = table.closed(after, until)
    assert sum(each.count for each in records) == len(closed)
    for each in records:
        within = [at for at in closed if each.nominal <= at <= (each.last_nominal or each.nominal)]
        assert each.nominal in closed
        assert len(within) >= each.count
        if len(records) < MOST_RECORDS and len(within) == each.count:
            fates = {(model.moved(at) or after) > after for at in within}
            assert fates == {each.disposition is DEFERRED}
