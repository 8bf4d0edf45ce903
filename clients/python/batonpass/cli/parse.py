"""What people write on a command line, as values: durations, times, percentages, documents.

Every function raises ValueError with a sentence that says what was expected. Ranges are left to the services,
whose rules live in the protos.
"""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from batonpass.targets import addresses

_UNITS: Final = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d|w)")
_DURATION_RULE: Final = "write a number and a unit, such as 500ms, 30s, 10m, 2h, 1d or 1h30m"


def duration(text: str) -> timedelta:
    """`text` as a length of time: one or more numbers with a unit, added up (`1h30m`); `0` needs no unit."""
    words = text.strip().lower()
    if words == "0":
        return timedelta(0)
    parts = _PART.findall(words)
    if not parts or "".join(number + unit for number, unit in parts) != words:
        raise ValueError(f"{text!r} is no duration: {_DURATION_RULE}")
    try:
        return sum((float(number) * _UNITS[unit] for number, unit in parts), timedelta(0))
    except OverflowError:
        raise ValueError(f"{text!r} is longer than any duration can be") from None


def time(text: str, now: datetime) -> datetime:
    """`text` as an instant in UTC: RFC 3339 with an offset, `now`, `+10m` from `now` or `-7d` before it."""
    words = text.strip()
    if words.lower() == "now":
        return now
    if words.startswith("+"):
        return _after(now, words[1:])
    if words.startswith("-"):
        return _before(now, words[1:])
    try:
        instant = datetime.fromisoformat(words)
    except ValueError:
        raise ValueError(
            f"{text!r} is no time: write RFC 3339 such as 2026-03-01T02:00:00Z, or +10m for in ten minutes"
        ) from None
    if instant.tzinfo is None:
        raise ValueError(f"{text!r} has no offset: add Z for UTC, or one such as +02:00")
    return _in_utc(instant, text)


def _after(now: datetime, text: str) -> datetime:
    try:
        return now + duration(text)
    except OverflowError:
        raise ValueError(f"+{text} lies beyond the year 9999") from None


def _before(now: datetime, text: str) -> datetime:
    try:
        return now - duration(text)
    except OverflowError:
        raise ValueError(f"-{text} lies before the year 1") from None


def _in_utc(instant: datetime, text: str) -> datetime:
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text!r} lies outside of the years 1 to 9999 in UTC") from None


def percent(text: str) -> float:
    """`text` as a number of percent, with or without the sign: `12.5` or `12.5%`."""
    try:
        return float(text.strip().removesuffix("%"))
    except ValueError:
        raise ValueError(f"{text!r} is no percentage: write a number from 0 to 100") from None


def whole(text: str, bits: int) -> int:
    """`text` as a whole number that fits into a signed field of `bits` bits."""
    try:
        number = int(text.strip())
    except ValueError:
        raise ValueError(f"{text!r} is no whole number") from None
    if not -(2 ** (bits - 1)) <= number < 2 ** (bits - 1):
        raise ValueError(f"{text!r} is out of every range")
    return number


def json_document(text: str) -> bytes:
    """`text` unchanged, in UTF-8, after a check that it is one JSON document."""
    try:
        # Numbers are left as they are: Python refuses to convert very long ones.
        json.loads(text, parse_constant=_refuse_constant, parse_int=str, parse_float=str)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"malformed JSON, line {error.lineno} column {error.colno}: {error.msg}") from None
    return text.encode()


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def document(text: str, read: Callable[[str], bytes]) -> bytes:
    """`text` as JSON, or, for `@FILE`, the JSON that `read(FILE)` returns."""
    if not text.startswith("@"):
        return json_document(text)
    try:
        return json_document(read(text[1:]).decode())
    except UnicodeDecodeError:
        raise ValueError(f"{text[1:]} is not UTF-8 text, so it is no JSON") from None


def label(text: str) -> tuple[str, str]:
    """`KEY=VALUE` as a pair; the value may be empty and may contain `=`."""
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise ValueError(f"{text!r} is no label: write KEY=VALUE")
    return key, value


def calendar_step(text: str) -> tuple[int, str]:
    """`2 weeks` as a count and a unit in the singular: day, week, month or year."""
    found = re.fullmatch(r"\s*([0-9]+)?\s*(day|week|month|year)s?\s*", text.lower())
    if found is None:
        raise ValueError(f'{text!r} is no step of a calendar: write "1 month", "2 weeks", days or years')
    return whole(found[1] or "1", bits=32), found[2]


def reading(text: str) -> str:
    """`2026-01-31T09:00:00`, what a clock on a wall shows, to the second; without an offset."""
    try:
        shown = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{text!r} is no date and time: write one such as 2026-01-31T09:00:00") from None
    if shown.tzinfo is not None:
        raise ValueError(f"{text!r} has an offset: it is read in the schedule's time zone, so leave it out")
    return shown.isoformat(timespec="seconds")


def template(text: str) -> tuple[str, int]:
    """`ID` or `ID@VERSION` as a pair; the version is 0 when there is none."""
    name, separator, version = text.partition("@")
    if not name or (separator and not version.removeprefix("v").isdecimal()):
        raise ValueError(f"{text!r} is no schedule template: write ID, or ID@VERSION such as nightly@2")
    return name, int(version.removeprefix("v") or 0)


def address(text: str) -> str:
    """`text` unchanged, after a check that each address in it has host and port; see `batonpass.targets`."""
    if text.startswith(("unix:", "unix-abstract:")):
        return text
    for one in addresses(text):
        host, _, port = one.rpartition(":")
        if not host or not (port.isascii() and port.isdigit()) or not 1 <= int(port) <= 65_535:
            raise ValueError(f"{one!r} is no address: write HOST:PORT, such as 127.0.0.1:7070")
    return text


def cron_fields(expression: str) -> int:
    """Number of fields of a cron expression; 0 for an alias such as `@daily`."""
    fields = expression.split()
    return 0 if fields and fields[0].startswith("@") else len(fields)
