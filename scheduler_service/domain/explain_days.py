"""The day, month and year fields of a cron expression in English."""

from scheduler_service.domain.cron_days import DaysOfMonth, DaysOfWeek
from scheduler_service.domain.cron_fields import DAY_OF_MONTH, DAY_OF_WEEK, MONTH, YEAR
from scheduler_service.domain.explain_values import is_all, run, steps
from scheduler_service.domain.words import MONTHS, WEEKDAYS, listing, ordinal

_ANY_MONTH = "the month"


def explain_days(
    of_month: DaysOfMonth, of_week: DaysOfWeek, months: tuple[int, ...], *, both: bool, every_day: str
) -> str:
    """Such as `on the last day of the month`; `every_day` says that every day of the months matches."""
    any_month, any_weekday = is_all(DAY_OF_MONTH, of_month.days), is_all(DAY_OF_WEEK, of_week.days)
    where, within = _where(months)
    if (any_month and any_weekday) or (not both and (any_month or any_weekday)):
        return f"{every_day}{within}".strip()
    if any_weekday:
        return _on_days(of_month, where, months) + (within if where is _ANY_MONTH else "")
    if any_month:
        return _on_weekdays(of_week, where, within)
    days = f"on {_days(of_month, _ANY_MONTH)}"
    if both:
        return f"{days}{within}, but only when that is {_weekdays(of_week, _ANY_MONTH, 'or')}"
    return f"{days} or on {_weekdays(of_week, _ANY_MONTH, 'and')}, whichever comes{within and ','}{within}"


def explain_years(years: tuple[int, ...]) -> str:
    """`in 2027`; empty for every year."""
    if is_all(YEAR, years):
        return ""
    if len(years) == 1:
        return f"in {years[0]}"
    found = steps(YEAR, years)
    if found is None:
        return f"in the years {listing(years)}"
    if found.step == 1:
        return f"in the years {found.first} through {found.last}"
    return f"in every {ordinal(found.step)} year from {found.first} through {found.last}"


def _on_days(of_month: DaysOfMonth, where: str, months: tuple[int, ...]) -> str:
    single = len(of_month.days) == 1 and of_month == DaysOfMonth(of_month.days)
    exists = len(months) == 1 or of_month.days[:1] < (29,)
    if single and exists and where is not _ANY_MONTH:
        return f"on {listing(f'{of_month.days[0]} {MONTHS[month]}' for month in months)}"
    return f"on {_days(of_month, where)}"


def _on_weekdays(of_week: DaysOfWeek, where: str, within: str) -> str:
    if not of_week.days and where is not _ANY_MONTH:
        return f"on {_weekdays(of_week, where, 'and')}"
    days = _weekdays(of_week, _ANY_MONTH, "and")
    return f"{days}{within}" if " to " in days else f"on {days}{within}"


def _days(of_month: DaysOfMonth, where: str) -> str:
    parts = [_plain_days(of_month.days)] if of_month.days else []
    parts += [_before_last(before) for before in reversed(of_month.before_last)]
    parts += [f"the weekday (Monday to Friday) nearest to day {day}" for day in of_month.nearest]
    if of_month.last_weekday:
        parts.append("the last weekday (Monday to Friday)")
    return f"{listing(parts)} of {where}"


def _plain_days(days: tuple[int, ...]) -> str:
    if len(days) == 1:
        return f"day {days[0]}"
    found = steps(DAY_OF_MONTH, days)
    if found is None:
        return f"days {listing(days)}"
    if found.step == 1:
        return f"days {found.first} through {found.last}"
    return f"every {ordinal(found.step)} day from day {found.first} through {found.last}"


def _before_last(before: int) -> str:
    if before == 0:
        return "the last day"
    return "the day before the last" if before == 1 else f"the day {before} days before the last"


def _weekdays(of_week: DaysOfWeek, where: str, last: str) -> str:
    found = run(DAY_OF_WEEK, of_week.days) if len(of_week.days) > 1 else None
    parts = [f"the {ordinal(n)} {WEEKDAYS[weekday]} of {where}" for weekday, n in of_week.nth]
    parts += [f"the last {WEEKDAYS[weekday]} of {where}" for weekday in of_week.last]
    if found is not None:
        return listing([f"{WEEKDAYS[found[0]]} to {WEEKDAYS[found[1]]}", *parts], last)
    in_order = sorted(of_week.days, key=lambda weekday: (weekday - 1) % 7)
    return listing([*(WEEKDAYS[weekday] for weekday in in_order), *parts], last)


def _where(months: tuple[int, ...]) -> tuple[str, str]:
    """What days are days of, and the months as their own phrase: `the month`, ` from May through July`."""
    if is_all(MONTH, months):
        return _ANY_MONTH, ""
    found = run(MONTH, months) if len(months) > 1 else None
    if found is not None:
        return _ANY_MONTH, f" from {MONTHS[found[0]]} through {MONTHS[found[1]]}"
    names = listing(MONTHS[month] for month in months)
    return names, f" in {names}"
