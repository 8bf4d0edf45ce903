"""The search against croniter's own walk, against a walk over every day, and against itself.

Where croniter 7.0 means something else, expressions are left out of the comparison:

- A range that wraps with a step: croniter reads `23-3/2` as 2,23, we as 1,3,23.
- A range from a value to itself: croniter reads the whole cycle, we the value.
- A later `*` in a list: croniter takes `1,*` as unrestricted, we only what starts with a star, as Vixie cron.
- `31W` in a shorter month: croniter takes the last weekday, for us there is none.
- W, # or a last weekday in one day field with anything in the other: croniter refuses them or takes neither
  OR nor AND. These, `L-n`, `LW` and lists of special forms, which it does not know, are compared with
  `_matches`, which asks of every single day what the forms say.
- Years after 2099, and readings more than 50 years away.
"""

import calendar
from datetime import UTC, date, datetime, timedelta

from croniter import CroniterBadDateError, croniter
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scheduler_service.domain import cron
from scheduler_service.domain.errors import InvalidSchedule
from scheduler_service.domain.spec import CronSpec, DayMatch, SecondsField
from tests.unit.scheduler.reading import SECOND, listed, listed_backwards, parse

MONTHS = [name.upper() for name in calendar.month_abbr[1:]]
WEEKDAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]


@st.composite
def fields(draw: st.DrawFn, first: int, last: int, names: list[str] | None = None) -> str:
    """Lists of values, ranges, and steps as croniter and we read them alike."""

    def value(number: int) -> str:
        return (
            names[number - first] if names and number <= first + 11 and draw(st.booleans()) else str(number)
        )

    def part(leading: bool) -> str:
        low, high = sorted(draw(st.sets(st.integers(first, last), min_size=2, max_size=2)))
        step = draw(st.integers(1, last - first + 1))
        forms = [str(low), f"{low}/{step}", f"{value(low)}-{value(high)}", f"{low}-{high}/{step}"]
        if leading:
            forms += ["*", f"*/{step}"]
        if names or last in (23, 59):
            forms.append(f"{value(high)}-{value(low)}")
        return draw(st.sampled_from(forms))

    return ",".join(part(number == 0) for number in range(draw(st.integers(1, 3))))


OF_MONTH = fields(1, 31) | st.sampled_from(["*", "?", "L", "15,L"])
OF_WEEK = fields(0, 6, WEEKDAYS) | st.sampled_from(["*", "?", "7", "5-7", "0-7"])
PLAIN = st.tuples(OF_MONTH, fields(1, 12, MONTHS), OF_WEEK)
SPECIAL = st.sampled_from(
    [("15W", "*", "*"), ("1w", "*", "*"), ("*", "*/5", "2#2"), ("*", "*", "FRI#5"), ("?", "3", "SUN#5")]
)
CLOCK = st.tuples(fields(0, 59), fields(0, 23))
WALL = st.datetimes(datetime(1999, 1, 1), datetime(2040, 1, 1)).map(lambda wall: wall.replace(microsecond=0))


@given(CLOCK, PLAIN | SPECIAL, fields(0, 59), st.booleans(), WALL)
@settings(max_examples=150, deadline=None)
def test_search_agrees_with_croniter(
    clock: tuple[str, str], days: tuple[str, str, str], second: str, both: bool, wall: datetime
) -> None:
    expression = " ".join((*clock, *days, second))
    match = DayMatch.AND if both else DayMatch.OR
    try:
        parsed = cron.parse(CronSpec(expression, SecondsField.LAST, match))
    except InvalidSchedule:
        assume(False)
    start = wall.replace(tzinfo=UTC)
    oracle = croniter(expression, start, day_or=not both, implement_cron_bug=True)
    assert parsed.at_or_after(wall + SECOND) == _step(oracle, start, forward=True)
    assert parsed.at_or_before(wall - SECOND) == _step(oracle, start, forward=False)


def _step(oracle: croniter, start: datetime, *, forward: bool) -> datetime | None:
    try:
        found: datetime = (oracle.get_next if forward else oracle.get_prev)(datetime, start)
    except CroniterBadDateError:
        return None
    return found.replace(tzinfo=None)


DAY_FORMS = st.one_of(
    st.integers(1, 31).map(str),
    st.integers(1, 31).map("{}W".format),
    st.integers(1, 30).map("L-{}".format),
    st.sampled_from(["L", "LW"]),
)
WEEKDAY_FORMS = st.one_of(
    st.sampled_from(WEEKDAYS),
    st.tuples(st.sampled_from(WEEKDAYS), st.integers(1, 5)).map("{0[0]}#{0[1]}".format),
    st.sampled_from(WEEKDAYS).map("{}L".format),
)


@given(
    st.lists(DAY_FORMS, max_size=3),
    st.lists(WEEKDAY_FORMS, max_size=3),
    st.booleans(),
    st.dates(date(1970, 1, 1), date(2110, 1, 1)),
)
@settings(max_examples=100, deadline=None)
def test_day_forms_match_the_days_they_describe(
    of_month: list[str], of_week: list[str], both: bool, first: date
) -> None:
    match = DayMatch.AND if both else DayMatch.OR
    expression = f"0 0 {','.join(of_month) or '*'} * {','.join(of_week) or '*'}"
    try:
        parsed = cron.parse(CronSpec(expression, day_match=match))
    except InvalidSchedule:
        assume(False)
    start = datetime.combine(first, datetime.min.time())
    days = [start + timedelta(days=number) for number in range(400)]
    expected = [day for day in days if _matches(day, of_month, of_week, both)]
    assert listed(parsed, days[0], days[-1]) == expected
    assert listed_backwards(parsed, days[0], days[-1]) == expected
    assert parsed.count(days[0] - SECOND, days[-1]) == len(expected)


def _matches(day: date, of_month: list[str], of_week: list[str], both: bool) -> bool:
    by_month = any(_is_day(form, day) for form in of_month)
    by_week = any(_is_weekday(form, day) for form in of_week)
    if not of_month or not of_week:
        return by_month or by_week or of_month == of_week
    return (by_month and by_week) if both else (by_month or by_week)


def _is_day(form: str, day: date) -> bool:
    last = calendar.monthrange(day.year, day.month)[1]
    working = [number for number in range(1, last + 1) if day.replace(day=number).weekday() < 5]
    if form == "LW":
        return day.day == working[-1]
    if form.endswith("W"):
        wanted = int(form[:-1])
        return wanted <= last and day.day == min(working, key=lambda number: abs(number - wanted))
    if form.startswith("L"):
        return day.day == last - int(form[2:] or 0)
    return day.day == int(form)


def _is_weekday(form: str, day: date) -> bool:
    if day.strftime("%a").upper() != form[:3]:
        return False
    if form.endswith("L"):
        return (day + timedelta(days=7)).month != day.month
    return form[3:] in ("", f"#{(day.day - 1) // 7 + 1}")


@given(CLOCK, PLAIN | SPECIAL, WALL, st.integers(0, 1_500_000))
@settings(max_examples=100, deadline=None)
def test_count_is_what_listing_gives_in_both_directions(
    clock: tuple[str, str], days: tuple[str, str, str], after: datetime, seconds: int
) -> None:
    try:
        parsed = parse(" ".join((*clock, *days)))
    except InvalidSchedule:
        assume(False)
    until = after + timedelta(seconds=seconds)
    assume(parsed.count(after, until) < 2000)
    found = listed(parsed, after + SECOND, until)
    assert parsed.count(after, until) == len(found)
    assert listed_backwards(parsed, after + SECOND, until) == found


EVERY_WALL = st.datetimes(datetime(1890, 1, 1), datetime(9999, 12, 31))


@given(
    CLOCK,
    PLAIN | SPECIAL,
    st.sampled_from(["*", "*/7", "2020-2030", "1980,2024"]),
    st.lists(EVERY_WALL, min_size=3, max_size=3),
)
@settings(max_examples=100, deadline=None)
def test_counts_of_centuries_add_up(
    clock: tuple[str, str], days: tuple[str, str, str], year: str, walls: list[datetime]
) -> None:
    try:
        parsed = parse(" ".join(("0", *clock, *days, year)))
    except InvalidSchedule:
        assume(False)
    first, middle, last = sorted(walls)
    assert parsed.count(first, last) == parsed.count(first, middle) + parsed.count(middle, last)
    assert parsed.count(last, first) == 0


def test_counts_of_whole_cycles_of_the_calendar() -> None:
    """400 years are 146,097 days, 97 of them 29 February, and whole weeks."""
    cycle = datetime(2000, 1, 1) - SECOND, datetime(2400, 1, 1) - SECOND
    assert parse("0 0 * * *").count(*cycle) == 146_097
    assert parse("*/15 * * * *").count(*cycle) == 146_097 * 96
    assert parse("0 0 29 2 *").count(*cycle) == 97
    assert parse("0 0 L * *").count(*cycle) == parse("0 0 * * FRI#2").count(*cycle) == 4800
    assert parse("0 0 * * MON").count(*cycle) == 146_097 // 7
    friday_13th = cron.parse(CronSpec("0 0 13 * FRI", day_match=DayMatch.AND))
    assert friday_13th.count(*cycle) == 688


def test_counts_end_with_the_years_1900_and_8999() -> None:
    daily = parse("0 0 * * *")
    assert daily.count(datetime(8999, 12, 30), datetime(9999, 12, 31)) == 1
    assert daily.count(datetime(1, 1, 1), datetime(1900, 1, 1)) == 1


def test_rarest_day_is_found_from_both_ends() -> None:
    """29 February on a Monday, across the 40 years around 2100."""
    parsed = cron.parse(CronSpec("0 0 29 2 MON", day_match=DayMatch.AND))
    assert parsed.at_or_after(datetime(2072, 3, 1)) == datetime(2112, 2, 29)
    assert parsed.at_or_before(datetime(2112, 2, 28)) == datetime(2072, 2, 29)
