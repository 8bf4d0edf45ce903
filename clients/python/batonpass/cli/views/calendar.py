"""Calendars as tables, and the stretches of time that they cover."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from batonpass.cli.output import Record
from batonpass.cli.program import as_called
from batonpass.cli.tables import Column, details, grid, key, minute, text, words

if TYPE_CHECKING:
    from rich.console import RenderableType

_MOST: Final = 10
"""Most dates and periods of one calendar that people are shown."""


def count(number: int, noun: str) -> str:
    """`1 window`, `2 windows`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _covers(record: Record) -> str | None:
    """What is in it, in short: `2 dates, 1 window, DE-BY`."""
    counts = [count(len(record[name]), name[:-1]) for name in ("dates", "windows", "periods") if record[name]]
    return ", ".join([*counts, *record["holidays"]]) or None


def _holds(record: Record) -> str | None:
    """What it keeps from starting: `everything`, `queue=reports allow_priority=9`."""
    if record["blackout"] is None:
        return None
    said = {name: value for name, value in record["blackout"].items() if value is not None}
    return words(said) if said else "everything"


_CALENDARS: Final = (
    key("ID", "calendar_id"),
    key("VERSION", "version", drop=3),
    key("ZONE", "time_zone", drop=2),
    Column("COVERS", _covers, cut=30),
    Column("BLACKOUT", _holds, drop=1, cut=30),
    minute("CHANGED", "updated_at", drop=4),
    text("DESCRIPTION", "description"),
)

_PERIODS: Final = (minute("FROM", "from"), minute("UNTIL", "until"), text("NAME", "name"))


def calendars(record: Record) -> "Iterable[RenderableType]":
    """A list of calendars."""
    empty = as_called("No calendars. batonpass calendar create makes one.")
    yield grid(record["calendars"], _CALENDARS, empty)


def calendar(record: Record) -> "Iterable[RenderableType]":
    """One calendar, field by field, with the first of its periods."""
    windows = [f"{each['cron']} for {each['for']}" for each in record["windows"]]
    periods = record["periods"]
    several = {
        "dates": _first(record["dates"]),
        "windows": "; ".join(windows),
        "periods": count(len(periods), "period") if periods else None,
        "blackout": _holds(record),
    }
    shown = {**record, **several}
    yield details({name: value for name, value in shown.items() if value not in (None, "", [])})
    if periods:
        yield ""
        yield grid(periods[:_MOST], _PERIODS, "")
        if len(periods) > _MOST:
            yield f"... and {len(periods) - _MOST} more, which -o json shows."


def updated(record: Record) -> "Iterable[RenderableType]":
    """A calendar after a change."""
    moved = record["moved_schedules"]
    yield from calendar({name: value for name, value in record.items() if name != "moved_schedules"})
    yield f"{count(moved, 'schedule')} will come due at another time."


def _first(dates: list[str]) -> str:
    more = f" and {len(dates) - _MOST} more" if len(dates) > _MOST else ""
    return f"{', '.join(dates[:_MOST])}{more}"


def periods(record: Record) -> "Iterable[RenderableType]":
    """Stretches to come, on the clock of the calendar's zone and in UTC."""
    where = record["time_zone"]
    columns = (
        Column(f"FROM ({where})", lambda period: _on_clock(period["from_local"])),
        Column(f"UNTIL ({where})", lambda period: _on_clock(period["until_local"])),
        key("LASTS", "lasts"),
        minute("FROM", "from", drop=1),
        minute("UNTIL", "until", drop=1),
        text("NAME", "name"),
    )
    shown = [column for column in columns if any(column.value(each) for each in record["periods"])]
    yield grid(record["periods"], shown, "It covers nothing within ten years.")


def _on_clock(reading: str | None) -> str | None:
    """`2026-12-24T00:00:00+01:00` as `2026-12-24 00:00 +01:00`."""
    return f"{reading[:16].replace('T', ' ')} {reading[-6:]}" if reading else None
