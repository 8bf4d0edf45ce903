"""The fields of a cron expression, and how an expression is split into them.

Five fields are `minute hour day-of-month month day-of-week`. Where seconds and a year stand differs between
products, so six fields need the place of the seconds; of seven the year is the last, and the seconds are the
first unless they were asked for last (`minute hour day-of-month month day-of-week second year`).
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

from scheduler_service.domain.errors import InvalidSchedule
from scheduler_service.domain.spec import SecondsField

LONGEST_EXPRESSION: Final = 256

_ALIASES: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its values are `first` to `last`."""

    name: str
    column: int
    """Where croniter has it."""
    first: int
    last: int
    allowed: str
    wraps: bool = True
    """Whether a range may run past `last` and go on at `first`, as in 22-2."""
    last_hashed: int = 0
    """The last value that `H` chooses, where that is not `last`."""

    @property
    def values(self) -> range:
        """All of them."""
        return range(self.first, self.last + 1)

    @property
    def hashed(self) -> range:
        """Those that `H` chooses from."""
        return range(self.first, (self.last_hashed or self.last) + 1)


SECOND: Final = Field("second", 5, 0, 59, "0-59")
MINUTE: Final = Field("minute", 0, 0, 59, "0-59")
HOUR: Final = Field("hour", 1, 0, 23, "0-23")
DAY_OF_MONTH: Final = Field(
    "day of month", 2, 1, 31, "1-31, L, L-1 to L-30, LW and 1W-31W", wraps=False, last_hashed=28
)
MONTH: Final = Field("month", 3, 1, 12, "1-12 and JAN-DEC")
DAY_OF_WEEK: Final = Field(
    "day of week", 4, 0, 6, "0-7 (0 and 7 are Sunday), SUN-SAT, such as FRI#2 (the second), FRIL (the last)"
)
YEAR: Final = Field("year", 6, 1970, 2199, "1970-2199", wraps=False)


FIELDS: Final = (SECOND, MINUTE, HOUR, DAY_OF_MONTH, MONTH, DAY_OF_WEEK, YEAR)


class Fields(NamedTuple):
    """The text of each of `FIELDS`, in capitals; second is `0` and year `*` where the expression has none."""

    second: str
    minute: str
    hour: str
    day_of_month: str
    month: str
    day_of_week: str
    year: str


def split(expression: str, seconds: SecondsField) -> Fields:
    """Raises InvalidSchedule when there are too many fields, too few, or it is open which they are."""
    if len(expression) > LONGEST_EXPRESSION:
        raise invalid(f"is longer than {LONGEST_EXPRESSION} characters")
    if not expression.isascii():
        raise invalid("contains characters other than ASCII")
    texts = _unalias(expression.strip().upper(), seconds).split()
    if texts and "TZ=" in texts[0]:
        raise invalid(f"{texts[0]!r}: the zone is `time_zone` of the schedule, no part of the expression")
    allowed = (5, 7) if seconds is SecondsField.NONE else (6, 7)
    if len(texts) not in allowed:
        raise invalid(_wrong_count(len(texts), seconds))
    year = texts.pop() if len(texts) == 7 else "*"
    if len(texts) == 5:
        return Fields._make(("0", *texts, year))
    if seconds is SecondsField.LAST:
        return Fields._make((texts.pop(), *texts, year))
    return Fields._make((*texts, year))


def invalid(rule: str) -> InvalidSchedule:
    """The refusal of an expression."""
    return InvalidSchedule("expression", rule)


def _unalias(expression: str, seconds: SecondsField) -> str:
    if not expression.startswith("@"):
        return expression
    if expression.split()[0] == "@EVERY":
        raise invalid(f"{expression.lower()!r} is an interval and has no readings on a clock")
    if expression.lower() not in _ALIASES:
        raise invalid(f"{expression.lower()!r} is not one of {', '.join(_ALIASES)} and @every")
    if seconds is not SecondsField.NONE:
        raise invalid(f"{expression.lower()!r} has no seconds field; leave `seconds` unset")
    return _ALIASES[expression.lower()]


def _wrong_count(count: int, seconds: SecondsField) -> str:
    five = "minute, hour, day of month, month, day of week"
    match seconds:
        case SecondsField.FIRST:
            expected = f"6 (second, {five}) or 7 (and year), since seconds were asked for first"
        case SecondsField.LAST:
            expected = f"6 ({five}, second) or 7 (and year), since seconds were asked for last"
        case _:
            expected = f"5 ({five}) or 7 (second, {five}, year)"
    more = "; for six, set `seconds` to say whether they stand first or last" if count == 6 else ""
    return f"has {count} field{'s' * (count != 1)}, expected {expected}{more}"
