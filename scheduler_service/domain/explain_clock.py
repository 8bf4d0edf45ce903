"""The seconds, minutes and hours of a cron expression in English."""

from collections.abc import Iterable
from itertools import product
from typing import Final

from scheduler_service.domain.cron_fields import HOUR, MINUTE, SECOND, Field
from scheduler_service.domain.explain_values import Steps, is_all, run, steps
from scheduler_service.domain.times_of_day import TimesOfDay
from scheduler_service.domain.words import every, listing

MOST_TIMES: Final = 6
"""More times of day than these are not listed one by one."""


def explain_clock(times: TimesOfDay, note: str) -> str:
    """Such as `at 02:00` or `every 15 minutes from 09:00 through 17:45`; `note` follows what it is about."""
    if len(times) <= MOST_TIMES:
        return f"at {listing(_listed(times))}{note}"
    if len(times.seconds) > 1:
        return _seconds(times) + note
    if len(times.minutes) > 1:
        return _minutes(times) + note
    return _hours(times, note)


def _listed(times: TimesOfDay) -> Iterable[str]:
    exact = times.seconds != (0,)
    return (_time(*time, exact) for time in product(times.hours, times.minutes, times.seconds))


def _hours(times: TimesOfDay, note: str) -> str:
    """One minute and second of several hours."""
    minute, second = times.minutes[0], times.seconds[0]
    found = steps(HOUR, times.hours)
    if is_all(HOUR, times.hours):
        if minute == second == 0:
            return f"every hour, on the hour{note}"
        return f"at minute {minute}{note} of every hour{_at_second(second)}"
    if found is None:
        return f"at minute {minute}{note} of {_those(HOUR, times.hours)}{_at_second(second)}"
    bounds = (_time(hour, minute, second, exact=second > 0) for hour in (found.first, found.last))
    return f"{every(found.step, 'hour')} from {' through '.join(bounds)}{note}"


def _minutes(times: TimesOfDay) -> str:
    """One second of several minutes."""
    found, second = steps(MINUTE, times.minutes), times.seconds[0]
    if found is None:
        minutes = f"at minutes {listing(times.minutes)} of {_those(HOUR, times.hours)}"
        return minutes + _at_second(second)
    pace = every(found.step, "minute")
    hours = run(HOUR, times.hours)
    if hours is not None and (found.even or len(times.hours) == 1):
        first = _time(hours[0], found.first, second, exact=second > 0)
        last = _time(hours[1], found.last, second, exact=second > 0)
        return f"{pace} from {first} through {last}"
    if not found.even:
        bounds = f"from minute {found.first} through {found.last} of {_those(HOUR, times.hours)}"
        return f"{pace} {bounds}{_at_second(second)}"
    if not is_all(HOUR, times.hours):
        pace = f"{pace} of {_those(HOUR, times.hours)}"
    return f"{pace}{_offset(MINUTE, found, 'hour')}{_at_second(second)}"


def _seconds(times: TimesOfDay) -> str:
    """Several seconds."""
    found = steps(SECOND, times.seconds)
    any_time = is_all(MINUTE, times.minutes) and is_all(HOUR, times.hours)
    within = "every minute"
    if not any_time:
        within = f"{_those(MINUTE, times.minutes)} of {_those(HOUR, times.hours)}"
    if found is None:
        return f"at seconds {listing(times.seconds)} of {within}"
    pace = every(found.step, "second")
    if not found.even:
        return f"{pace} from second {found.first} through {found.last} of {within}"
    if any_time:
        return pace + _offset(SECOND, found, "minute")
    stretch = _stretch(times)
    if stretch is None:
        return f"{pace} of {within}{_offset(SECOND, found, 'minute')}"
    first, last = stretch
    return (
        f"{pace} from {_time(*first, found.first, exact=True)} through {_time(*last, found.last, exact=True)}"
    )


def _stretch(times: TimesOfDay) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """First and last (hour, minute) when there is no hole in between."""
    hours = run(HOUR, times.hours)
    if hours is not None and is_all(MINUTE, times.minutes):
        return (hours[0], 0), (hours[1], 59)
    minutes = run(MINUTE, times.minutes)
    if len(times.hours) > 1 or minutes is None or minutes[0] > minutes[1]:
        return None
    return (times.hours[0], minutes[0]), (times.hours[0], minutes[1])


def _those(field: Field, values: tuple[int, ...]) -> str:
    """`every hour`, `hour 9`, `the hours 9 through 17`, `the hours 1, 2 and 9`."""
    if is_all(field, values):
        return f"every {field.name}"
    if len(values) == 1:
        return f"{field.name} {values[0]}"
    found = run(field, values)
    if found is not None:
        return f"the {field.name}s {found[0]} through {found[1]}"
    return f"the {field.name}s {listing(values)}"


def _offset(field: Field, found: Steps, whole: str) -> str:
    """Where even steps begin, when that is not at 0."""
    return f", from {field.name} {found.first} of the {whole}" if found.first else ""


def _at_second(second: int) -> str:
    return f", at second {second}" if second else ""


def _time(hour: int, minute: int, second: int, exact: bool) -> str:
    return f"{hour:02}:{minute:02}:{second:02}" if exact else f"{hour:02}:{minute:02}"
