"""Records as people read them: columns, details, words. Takes records, so it knows no protobuf."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from batonpass.cli import format
from batonpass.cli.output import Record

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

_STYLES: Final = {
    **dict.fromkeys(("SUCCEEDED", "completed", "FIRED", "ENABLED", "ONLINE"), "green"),
    **dict.fromkeys(("RUNNING", "executing", "OFFERED", "STARTED", "PENDING"), "cyan"),
    **dict.fromkeys(("DEAD", "EXPIRED", "failed", "REJECTED", "INVALID", "LOOP_CUT", "LOST"), "red"),
    **dict.fromkeys(("CANCELLED", "SKIPPED", "SKIPPED_OVERLAP", "MISSED_WINDOW", "RETRYING"), "yellow"),
    **dict.fromkeys(("OFFLINE", "DISABLED", "PAUSED", "COALESCED", "-"), "dim"),
    "critical": "bold red",
    "important": "yellow",
}


class Column(NamedTuple):
    """One column: its heading and what it takes from a record.

    A `fixed` one keeps its width on a narrow terminal, at the cost of the others.
    """

    heading: str
    value: Callable[[Record], Any]
    fixed: bool = False


def key(heading: str, name: str) -> Column:
    """A field as it is."""
    return Column(heading, lambda record: record[name])


def state(heading: str, name: str) -> Column:
    """A field that holds one word of a few."""
    return Column(heading, lambda record: record[name], fixed=True)


def minute(heading: str, name: str) -> Column:
    """A time in UTC as date and minute, for what is planned."""
    return Column(f"{heading} (UTC)", lambda record: _cut(record[name], 0, 16), fixed=True)


def second(heading: str, name: str) -> Column:
    """A time in UTC as day and second, for what is recent."""
    return Column(f"{heading} (UTC)", lambda record: _cut(record[name], 5, 19), fixed=True)


def _cut(instant: str | None, start: int, end: int) -> str | None:
    return instant[start:end].replace("T", " ") if instant else None


def millis(heading: str, name: str) -> Column:
    """A length in milliseconds as words."""
    return Column(heading, lambda record: milliseconds(record[name]), fixed=True)


def to_second(instant: str | None) -> str | None:
    """An ISO 8601 instant without its fraction."""
    return instant[:19] + "Z" if instant else None


def milliseconds(length: int | None) -> str | None:
    """A length in words: `1.25s`, `340ms`, `2m5s`."""
    if length is None:
        return None
    if 1000 <= length < 10_000:
        return f"{format.number(length / 1000)}s"
    return format.duration(timedelta(milliseconds=length if length < 1000 else round(length, -3)))


def grid(records: Sequence[Record], columns: Sequence[Column], empty: str) -> "Table | str":
    """One line a record; `empty` when there is none."""
    from rich.table import Table

    if not records:
        return empty
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.heading, overflow="fold", no_wrap=column.fixed)
    for record in records:
        table.add_row(*(cell(column.value(record)) for column in columns))
    return table


def details(record: Record) -> "Table":
    """One line a field, those without a value left out."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in record.items():
        if value is not None:
            table.add_row(name, cell(value))
    return table


def cell(value: object) -> "Text":
    """A value, coloured when it is a word that matters; control characters are escaped."""
    from rich.text import Text

    text = words(value)
    return Text(format.printable(text), style=_STYLES.get(text, ""))


def words(value: object) -> str:
    """A value as people write it: `-` for nothing, yes and no, numbers without needless zeros."""
    if value is None or value in ("", [], {}):
        return "-"
    match value:
        case bool():
            return "yes" if value else "no"
        case float():
            return format.number(value)
        case list():
            return ", ".join(words(item) for item in value)
        case dict():
            return " ".join(f"{name}={words(item)}" for name, item in value.items())
        case _:
            return str(value)
