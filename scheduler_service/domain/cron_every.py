"""`@every DURATION`: an interval written as a cron expression."""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Final

from scheduler_service.domain.cron_fields import LONGEST_EXPRESSION, invalid
from scheduler_service.domain.spec import IntervalSpec

SHORTEST: Final = timedelta(seconds=1)
LONGEST: Final = timedelta(days=366)

_EVERY: Final = re.compile(r"@every(\s+.*|)", re.IGNORECASE | re.ASCII | re.DOTALL)
_PART: Final = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(h|ms|m|s)", re.ASCII)
_MILLISECOND: Final = timedelta(milliseconds=1)
_MILLISECONDS: Final = {"h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}


def every(expression: str) -> IntervalSpec | None:
    """The interval of `@every 1h30m`; None for every other expression.

    The duration is written as in Go: numbers with the units h, m, s and ms. It must be 1 s to 366 days and
    whole milliseconds, else InvalidSchedule. Like every interval it counts from 1970-01-01T00:00:00Z.
    """
    found = _EVERY.fullmatch(expression.strip())
    if found is None:
        return None
    text = found[1].strip()
    if len(expression) > LONGEST_EXPRESSION or not re.fullmatch(f"(?:{_PART.pattern})+", text, re.ASCII):
        raise invalid(f"{expression[:40]!r}: write a duration like 90s, 15m or 1h30m (units h, m, s, ms)")
    milliseconds = sum(
        (Decimal(number) * _MILLISECONDS[unit] for number, unit in _PART.findall(text)), Decimal()
    )
    if milliseconds != int(milliseconds):
        raise invalid(f"{expression!r}: the duration must be a whole number of milliseconds")
    if not SHORTEST // _MILLISECOND <= milliseconds <= LONGEST // _MILLISECOND:
        raise invalid(f"{expression!r}: the duration must be 1 s to 366 days (8784h)")
    return IntervalSpec(int(milliseconds) * _MILLISECOND)
