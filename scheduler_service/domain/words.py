"""English for numbers, lists and durations."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

WEEKDAYS: Final = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
MONTHS: Final = (
    *("", "January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
"""By number: MONTHS[1] is January."""

_ORDINALS: Final = ("", "first", "second", "third", "fourth", "fifth")
_UNITS: Final = (("day", 86_400_000), ("hour", 3_600_000), ("minute", 60_000), ("second", 1000))


def listing(items: Iterable[object], last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    texts = [str(item) for item in items]
    if len(texts) < 2:
        return "".join(texts)
    return f"{', '.join(texts[:-1])} {last} {texts[-1]}"


def ordinal(number: int) -> str:
    """`first` to `fifth`, then `6th`, `21st`."""
    if number < len(_ORDINALS):
        return _ORDINALS[number]
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


def amount(number: int, unit: str) -> str:
    """`1 hour`, `2 hours`."""
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def every(number: int, unit: str) -> str:
    """`every hour`, `every 2 hours`."""
    return f"every {unit}" if number == 1 else f"every {number} {unit}s"


def duration(length: timedelta) -> str:
    """`1 hour and 30 minutes`; whole milliseconds."""
    rest = length // timedelta(milliseconds=1)
    parts = []
    for unit, milliseconds in _UNITS:
        number, rest = divmod(rest, milliseconds)
        if number:
            parts.append(amount(number, unit))
    if rest or not parts:
        parts.append(amount(rest, "millisecond"))
    return listing(parts)


def every_duration(length: timedelta) -> str:
    """`every hour`, `every 90 seconds` or `every 1 hour and 30 minutes`."""
    text = duration(length)
    return f"every {text.removeprefix('1 ') if ' and ' not in text and ', ' not in text else text}"
