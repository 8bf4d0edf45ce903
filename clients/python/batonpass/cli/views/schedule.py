"""Schedules, fires and previews as tables."""

from collections.abc import Iterable
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from batonpass.cli.output import Record
from batonpass.cli.program import as_called
from batonpass.cli.tables import Column, details, grid, key, minute, one_line, text, to_second

if TYPE_CHECKING:
    from rich.console import RenderableType


def when(record: Record) -> str:
    """`cron 0 2 * * * Europe/Berlin`: kind, expression and, where it matters, the zone."""
    zone = record["time_zone"] if record["schedule_type"] not in ("interval", "once", "event") else None
    return " ".join(word for word in (record["schedule_type"], record["schedule_expr"], zone) if word)


def urgency(record: Record) -> str:
    """`8 important`."""
    return f"{record['priority']} {record['band']}" if record["priority"] else "-"


def _due(fire: Record) -> str | None:
    first, last = to_second(fire["nominal_at"]), to_second(fire["last_nominal_at"])
    return f"{first} .. {last}" if last else first


SCHEDULES: Final = (
    key("ID", "schedule_id"),
    key("NAME", "task_name", drop=6, cut=10),
    Column("WHEN", when, drop=1, cut=24),
    Column("PRIORITY", urgency, drop=4),
    key("STATE", "state"),
    minute("NEXT", "next_execution"),
    minute("LAST", "last_executed", drop=2),
    key("RUNS", "execution_count", drop=5),
    key("FAILED", "failure_count", drop=3),
)

FIRES: Final = (
    Column("DUE", _due),
    key("LOCAL", "local", drop=3),
    key("OFFSET", "offset", drop=4),
    key("KIND", "kind", drop=1),
    key("DISPOSITION", "disposition"),
    key("COUNT", "count", drop=2),
    key("TASK", "fire_id"),
    text("DETAIL", "detail"),
)

PREVIEW: Final = (
    key("TIME", "time"),
    key("LOCAL", "local"),
    key("OFFSET", "offset"),
    Column("FIRES AT", lambda fire: fire["due"] if fire["due"] != fire["time"] else None, drop=1),
    Column("BECOMES", lambda fire: None if fire["disposition"] == "FIRED" else fire["disposition"], drop=3),
    key("HELD UNTIL", "held_until", drop=2),
    text("DETAIL", "detail"),
)


MOVED: Final = (
    key("SCHEDULE", "schedule_id"),
    key("ZONE", "time_zone"),
    key("RELEASE", "release", drop=2),
    minute("MOVED AT", "moved_at", drop=1),
    Column("NEXT WAS", lambda moved: _first_different(moved, "old")),
    Column("NEXT IS", lambda moved: _first_different(moved, "new")),
)


def _first_different(moved: Record, which: str) -> str | None:
    """The first of the instants that is not the same before and after."""
    pairs = zip_longest(moved["old"], moved["new"])
    old, new = next((pair for pair in pairs if pair[0] != pair[1]), (None, None))
    return to_second(old if which == "old" else new)


def schedules(record: Record) -> "Iterable[RenderableType]":
    """A list of schedules."""
    yield grid(
        record["schedules"], SCHEDULES, as_called("No schedules. batonpass schedule create makes one.")
    )


def schedule(record: Record) -> "Iterable[RenderableType]":
    """One schedule, field by field; what is there twice is shown once, and empty lists are left out."""
    doubled = ("schedule_id", "specs")
    shown = {name: value for name, value in record.items() if name not in doubled and value not in ([], {})}
    yield details({**shown, "payload": one_line(record["payload"])})


def moved(record: Record) -> "Iterable[RenderableType]":
    """Schedules that new rules of time zones have moved."""
    yield grid(record["schedules"], MOVED, "No schedule was moved by new rules of time zones.")


def fires(record: Record) -> "Iterable[RenderableType]":
    """What became of the instants of a schedule."""
    yield grid(record["fires"], FIRES, "It has not come due yet.")


def preview(record: Record) -> "Iterable[RenderableType]":
    """Instants to come."""
    columns = [
        column for column in PREVIEW if any(column.value(fire) is not None for fire in record["fires"])
    ]
    yield grid(record["fires"], columns, "It does not come due by time any more.")


def explanation(record: Record) -> "Iterable[RenderableType]":
    """What it means, then instants to come."""
    yield from record["description"]
    yield ""
    yield from preview(record)


def stats(record: Record) -> "Iterable[RenderableType]":
    """Counts."""
    yield details(record)
