"""Which instants a calendar covers, and what is refused."""

from datetime import UTC, datetime, timedelta

import pytest

from scheduler_service.domain.calendar import (
    CalendarDefinition,
    CalendarRules,
    CalendarWindow,
    Holidays,
    Period,
)
from scheduler_service.domain.calendar_rules import check_calendar
from scheduler_service.domain.coverage import coverage
from scheduler_service.domain.errors import InvalidCalendar
from scheduler_service.domain.time_set import Span

HOUR = timedelta(hours=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def span(start: str, until: str) -> Span:
    return Span(at(start), at(until))


def test_date_is_a_whole_day_of_the_zone() -> None:
    """23 hours long when the clock is set forward."""
    covered = coverage(CalendarRules(time_zone="Europe/Berlin", dates=("2026-03-29",)))
    assert covered.at(at("2026-03-29T12:00")) == span("2026-03-28T23:00", "2026-03-29T22:00")
    assert not covered.covers(at("2026-03-29T22:00"))


def test_day_of_every_year_comes_again() -> None:
    covered = coverage(CalendarRules(dates=("12-25", "02-29")))
    assert covered.covers(at("1999-12-25T00:00"))
    assert covered.next_after(at("2026-01-01T00:00")) == span("2026-12-25T00:00", "2026-12-26T00:00")
    assert covered.next_after(at("2027-12-26T00:00")) == span("2028-02-29T00:00", "2028-03-01T00:00")


def test_day_that_a_zone_left_out_covers_nothing() -> None:
    covered = coverage(CalendarRules(time_zone="Pacific/Apia", dates=("2011-12-30",)))
    assert covered.next_after(at("2011-01-01T00:00")) is None


def test_touching_days_are_one_stretch_also_over_the_new_year() -> None:
    covered = coverage(CalendarRules(dates=("12-30", "12-31", "01-01")))
    expected = span("2026-12-30T00:00", "2027-01-02T00:00")
    assert covered.at(at("2027-01-01T12:00")) == expected
    assert covered.next_after(at("2026-06-01T00:00")) == expected
    assert covered.last_by(at("2027-06-01T00:00")) == expected
    assert covered.next_after(at("2026-12-30T00:00")) == span("2027-12-30T00:00", "2028-01-02T00:00")


def test_window_opens_by_the_clock_of_the_zone_and_lasts_by_elapsed_time() -> None:
    rules = CalendarRules(time_zone="Europe/Berlin", windows=(CalendarWindow("0 22 * * *", 8 * HOUR),))
    assert coverage(rules).at(at("2026-03-29T00:00")) == span("2026-03-28T21:00", "2026-03-29T05:00")
    assert coverage(rules).at(at("2026-03-30T00:00")) == span("2026-03-29T20:00", "2026-03-30T04:00")


def test_holidays_are_those_of_the_part_of_the_country() -> None:
    bavaria = coverage(CalendarRules(time_zone="Europe/Berlin", holidays=(Holidays("DE", "BY"),)))
    germany = coverage(CalendarRules(time_zone="Europe/Berlin", holidays=(Holidays("DE"),)))
    epiphany, unity = at("2026-01-06T12:00"), at("2026-10-03T12:00")
    assert (bavaria.covers(epiphany), germany.covers(epiphany)) == (True, False)
    assert bavaria.covers(unity)
    assert germany.covers(unity)


def test_search_ends_after_ten_years() -> None:
    covered = coverage(CalendarRules(dates=("2050-01-01",)))
    assert covered.next_after(at("2030-01-01T00:00")) is None
    assert covered.next_after(at("2041-01-01T00:00")) is not None


PERIOD = Period(at("2026-01-02T00:00"), at("2026-01-01T00:00"))


@pytest.mark.parametrize(
    ("rules", "field"),
    [
        (CalendarRules(time_zone="Mars/Olympus"), "time_zone"),
        (CalendarRules(dates=("2026-01-01", "2026-02-29")), "dates[1]"),
        (CalendarRules(dates=("02-30",)), "dates[0]"),
        (CalendarRules(windows=(CalendarWindow("61 * * * *", HOUR),)), "windows[0].cron"),
        (CalendarRules(windows=(CalendarWindow("0 0 12 * * * 2030", HOUR),)), "windows[0].cron"),
        (CalendarRules(windows=(CalendarWindow("*/5 * * * *", HOUR),)), "windows[0].cron"),
        (CalendarRules(holidays=(Holidays("ZZ"),)), "holidays[0].country"),
        (CalendarRules(holidays=(Holidays("DE", "XX"),)), "holidays[0].subdivision"),
        (CalendarRules(periods=(PERIOD,)), "periods[0].until_time"),
    ],
)
def test_refusal_names_the_field(rules: CalendarRules, field: str) -> None:
    with pytest.raises(InvalidCalendar) as caught:
        check_calendar(CalendarDefinition(rules=rules))
    assert caught.value.field == field
