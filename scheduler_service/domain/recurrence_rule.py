"""Recurrence rules as RFC 5545 (3.3.10) writes them, such as `FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=17`."""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import IntEnum
from typing import Final

from scheduler_service.domain.errors import InvalidSchedule

LONGEST_RULE: Final = 512
MOST_COUNT: Final = 10_000
LONGEST_INTERVAL: Final = 1_000_000

_WEEKDAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_WEEKDAY: Final = re.compile(r"(?:([+-]?)(\d{1,2}))?(MO|TU|WE|TH|FR|SA|SU)")
_UNTIL: Final = re.compile(r"(\d{8})(?:T(\d{6})(Z?))?")
_FOREIGN: Final = {
    "DTSTART": "goes into `start`, not into the rule",
    "RDATE": "is not supported: give the dates as one-shot specs",
    "EXDATE": "is not supported: give the dates as exclusions",
    "BYEASTER": "is not supported: use a calendar of holidays",
}


class Frequency(IntEnum):
    """How long a period of the rule is."""

    YEARLY = 0
    MONTHLY = 1
    WEEKLY = 2
    DAILY = 3
    HOURLY = 4
    MINUTELY = 5
    SECONDLY = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class RecurrenceRule:
    """The parts of a rule. An empty tuple leaves its part free."""

    frequency: Frequency
    interval: int = 1
    count: int | None = None
    until: datetime | None = None
    """Last reading, naive and included; or the last instant, aware UTC."""
    week_start: int = 0
    """0 is Monday."""
    months: tuple[int, ...] = ()
    week_numbers: tuple[int, ...] = ()
    year_days: tuple[int, ...] = ()
    month_days: tuple[int, ...] = ()
    weekdays: tuple[tuple[int, int], ...] = ()
    """Which of its kind in the month or year (0 every one, negative from the end), and the weekday."""
    hours: tuple[int, ...] = ()
    minutes: tuple[int, ...] = ()
    seconds: tuple[int, ...] = ()
    positions: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Numbers:
    field: str
    first: int
    last: int
    signed: bool = False


_NUMBERS: Final = {
    "BYMONTH": _Numbers("months", 1, 12),
    "BYWEEKNO": _Numbers("week_numbers", 1, 53, signed=True),
    "BYYEARDAY": _Numbers("year_days", 1, 366, signed=True),
    "BYMONTHDAY": _Numbers("month_days", 1, 31, signed=True),
    "BYHOUR": _Numbers("hours", 0, 23),
    "BYMINUTE": _Numbers("minutes", 0, 59),
    "BYSECOND": _Numbers("seconds", 0, 59),
    "BYSETPOS": _Numbers("positions", 1, 366, signed=True),
}
_PARTS: Final = ("FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", *_NUMBERS)


def parse(text: str, start: datetime) -> RecurrenceRule:
    """Reads a rule; what it leaves out of the time of day, and of the day, is that of `start`.

    Raises InvalidSchedule for `rule` with the part and the reason.
    """
    parts = _split(text)
    if "FREQ" not in parts:
        raise invalid("FREQ is missing, such as FREQ=DAILY")
    if parts["FREQ"] not in Frequency.__members__:
        raise invalid(f"FREQ={parts['FREQ']}: must be one of {', '.join(Frequency.__members__)}")
    if "COUNT" in parts and "UNTIL" in parts:
        raise invalid("only one of COUNT and UNTIL may be given")
    lists = {
        numbers.field: _numbers(key, numbers, parts[key]) for key, numbers in _NUMBERS.items() if key in parts
    }
    rule = RecurrenceRule(
        frequency=Frequency[parts["FREQ"]],
        interval=_number("INTERVAL", parts.get("INTERVAL", "1"), LONGEST_INTERVAL),
        count=_number("COUNT", parts["COUNT"], MOST_COUNT) if "COUNT" in parts else None,
        until=_until(parts["UNTIL"]) if "UNTIL" in parts else None,
        week_start=_week_start(parts.get("WKST", "MO")),
        weekdays=_weekdays(parts["BYDAY"]) if "BYDAY" in parts else (),
        **lists,
    )
    _require_sense(rule, parts)
    return _completed(rule, start)


def invalid(reason: str) -> InvalidSchedule:
    """A violation of the field `rule`."""
    return InvalidSchedule("rule", reason)


def _split(text: str) -> dict[str, str]:
    if len(text) > LONGEST_RULE:
        raise invalid(f"is longer than {LONGEST_RULE} characters")
    if len(text.split()) != 1 or not text.isascii():
        raise invalid("must be one line of ASCII without spaces")
    parts: dict[str, str] = {}
    for part in text.strip().upper().removesuffix(";").split(";"):
        key, equals, value = part.partition("=")
        foreign = next((name for name in _FOREIGN if key.startswith(name)), None)
        if foreign is not None:
            raise invalid(f"{foreign} {_FOREIGN[foreign]}")
        if key not in _PARTS or not equals or not value:
            raise invalid(
                f"{part!r} is not a part of a rule; those are {', '.join(_PARTS)}, each as NAME=VALUE"
            )
        if key in parts:
            raise invalid(f"{key} is given twice")
        parts[key] = value
    return parts


def _number(key: str, text: str, last: int) -> int:
    if not (text.isdecimal() and len(text) < 10 and 1 <= int(text) <= last):
        raise invalid(f"{key}={text}: must be a whole number from 1 to {last}")
    return int(text)


def _numbers(key: str, numbers: _Numbers, text: str) -> tuple[int, ...]:
    found = set()
    for item in text.split(","):
        digits = item.removeprefix("-").removeprefix("+") if numbers.signed else item
        if not (digits.isdecimal() and len(digits) < 4 and numbers.first <= int(digits) <= numbers.last):
            sign = "-" if numbers.signed else ""
            also = f" or {sign}{numbers.last} to {sign}{numbers.first}" if numbers.signed else ""
            raise invalid(f"{key}={text}: {item!r} must be {numbers.first} to {numbers.last}{also}")
        found.add(int(item))
    return tuple(sorted(found))


def _weekdays(text: str) -> tuple[tuple[int, int], ...]:
    found = set()
    for item in text.split(","):
        match = _WEEKDAY.fullmatch(item)
        if match is None or not 0 < int(match[2] or 1) < 54:
            raise invalid(
                f"BYDAY={text}: {item!r} must be one of {', '.join(_WEEKDAYS)}, or such as 2TU or -1FR"
            )
        found.add((int(f"{match[1] or ''}{match[2] or 0}"), _WEEKDAYS.index(match[3])))
    return tuple(sorted(found))


def _week_start(text: str) -> int:
    if text not in _WEEKDAYS:
        raise invalid(f"WKST={text}: must be one of {', '.join(_WEEKDAYS)}")
    return _WEEKDAYS.index(text)


def _until(text: str) -> datetime:
    """A date includes its whole day."""
    match = _UNTIL.fullmatch(text)
    try:
        if match is None:
            raise ValueError
        until = datetime.strptime(f"{match[1]}{match[2] or '235959'}", "%Y%m%d%H%M%S")
    except ValueError:
        raise invalid(f"UNTIL={text}: write 20271231, 20271231T235959 or 20271231T235959Z") from None
    return until.replace(tzinfo=UTC) if match[3] else until


def _require_sense(rule: RecurrenceRule, parts: dict[str, str]) -> None:
    """What RFC 5545 forbids."""
    frequency = rule.frequency
    if rule.week_numbers and frequency is not Frequency.YEARLY:
        raise invalid("BYWEEKNO is for FREQ=YEARLY only")
    if rule.year_days and frequency in (Frequency.DAILY, Frequency.WEEKLY, Frequency.MONTHLY):
        raise invalid(f"BYYEARDAY does not go with FREQ={frequency.name}")
    if rule.month_days and frequency is Frequency.WEEKLY:
        raise invalid("BYMONTHDAY does not go with FREQ=WEEKLY")
    if any(n for n, _ in rule.weekdays):
        if frequency > Frequency.MONTHLY:
            raise invalid(f"BYDAY={parts['BYDAY']}: numbered weekdays are for FREQ=MONTHLY and YEARLY only")
        if rule.week_numbers:
            raise invalid(f"BYDAY={parts['BYDAY']}: numbered weekdays do not go with BYWEEKNO")
    if rule.positions and not any(key.startswith("BY") and key != "BYSETPOS" for key in parts):
        raise invalid("BYSETPOS picks from what another BY part yields; there is none")


def _completed(rule: RecurrenceRule, start: datetime) -> RecurrenceRule:
    """With the day and the time of day of `start` where the rule leaves them open."""
    frequency = rule.frequency
    if not (rule.week_numbers or rule.year_days or rule.month_days or rule.weekdays):
        if frequency is Frequency.YEARLY:
            rule = replace(rule, months=rule.months or (start.month,), month_days=(start.day,))
        elif frequency is Frequency.MONTHLY:
            rule = replace(rule, month_days=(start.day,))
        elif frequency is Frequency.WEEKLY:
            rule = replace(rule, weekdays=((0, start.weekday()),))
    elif rule.week_numbers and not (rule.year_days or rule.month_days or rule.weekdays):
        rule = replace(rule, weekdays=((0, start.weekday()),))
    if frequency < Frequency.HOURLY:
        rule = replace(rule, hours=rule.hours or (start.hour,))
    if frequency < Frequency.MINUTELY:
        rule = replace(rule, minutes=rule.minutes or (start.minute,))
    if frequency < Frequency.SECONDLY:
        rule = replace(rule, seconds=rule.seconds or (start.second,))
    return rule
