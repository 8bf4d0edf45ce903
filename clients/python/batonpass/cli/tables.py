"""Records as people read them: columns, details, words. Takes records, so it knows no protobuf."""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from batonpass.cli import format
from batonpass.cli.columns import GAP, Layout, Need, layout
from batonpass.cli.output import Record

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.table import Table
    from rich.text import Text

_EMPTY: Final = 100
"""Added to the `drop` of a column that has no value in any line."""

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

    `drop`, `cut` and `free` say what a narrow terminal may do to it, as in `columns.Need`.
    """

    heading: str
    value: Callable[[Record], Any]
    drop: int = 0
    cut: int = 0
    free: bool = False


def key(heading: str, name: str, drop: int = 0, *, cut: int = 0) -> Column:
    """A field as it is."""
    return Column(heading, lambda record: record[name], drop, cut)


def text(heading: str, name: str) -> Column:
    """A field that holds free text, which may wrap; the last column."""
    return Column(heading, lambda record: record[name], free=True)


def minute(heading: str, name: str, drop: int = 0) -> Column:
    """A time in UTC as date and minute, for what is planned."""
    return Column(f"{heading} (UTC)", lambda record: _cut(record[name], 0, 16), drop)


def second(heading: str, name: str, drop: int = 0) -> Column:
    """A time in UTC as day and second, for what is recent."""
    return Column(f"{heading} (UTC)", lambda record: _cut(record[name], 5, 19), drop)


def _cut(instant: str | None, start: int, end: int) -> str | None:
    return instant[start:end].replace("T", " ") if instant else None


def millis(heading: str, name: str, drop: int = 0) -> Column:
    """A length in milliseconds as words."""
    return Column(heading, lambda record: milliseconds(record[name]), drop)


def to_second(instant: str | None) -> str | None:
    """An ISO 8601 instant without its fraction."""
    return instant[:19] + "Z" if instant else None


def milliseconds(length: int | None) -> str | None:
    """A length in words: `1.25s`, `340ms`, `2m5s`; what was too short to measure is `<1ms`."""
    if length is None:
        return None
    if length == 0:
        return "<1ms"
    if 1000 <= length < 10_000:
        return f"{format.number(length / 1000)}s"
    return format.duration(timedelta(milliseconds=length if length < 1000 else round(length, -3)))


def grid(records: Sequence[Record], columns: Sequence[Column], empty: str) -> "Grid | str":
    """One line a record; `empty` when there is none."""
    return Grid(records, columns) if records else empty


class Grid:
    """Records below headings, as wide as the terminal allows. Only free text wraps."""

    def __init__(self, records: Sequence[Record], columns: Sequence[Column]) -> None:
        self._columns = columns
        self._rows = [[_cell(column, record) for column in columns] for record in records]

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "Iterator[Text]":
        from rich.text import Text

        found = layout(self._needs(), options.max_width)
        yield self._line([Text(column.heading, style="bold") for column in self._columns], found)
        for row in self._rows:
            yield from self._lines(row, found, console, options.max_width)

    def _needs(self) -> list[Need]:
        """A column without any value is dropped before all others."""
        return [
            Need(
                width=max(len(column.heading), *(row[place].cell_len for row in self._rows)),
                drop=column.drop
                and column.drop + _EMPTY * all(row[place].plain == "-" for row in self._rows),
                cut=column.cut,
                free=column.free,
            )
            for place, column in enumerate(self._columns)
        ]

    def _is_empty(self, place: int) -> bool:
        return all(row[place].plain == "-" for row in self._rows)

    def _lines(self, row: "list[Text]", found: Layout, console: "Console", width: int) -> "Iterator[Text]":
        if found.beneath is not None:
            yield self._line(row, found)
            if row[found.beneath].plain != "-":
                for line in row[found.beneath].wrap(console, max(width - GAP, 1)):
                    yield _padded(line, GAP)
            return
        place = next((place for place, column in enumerate(self._columns) if column.free), None)
        if place is None:
            yield self._line(row, found)
            return
        first, *rest = row[place].wrap(console, found.widths[place])
        yield self._line([*row[:place], first, *row[place + 1 :]], found)
        indent = sum(size + GAP for other, size in found.widths.items() if other != place)
        yield from (_padded(line, indent) for line in rest)

    @staticmethod
    def _line(row: "Sequence[Text]", found: Layout) -> "Text":
        from rich.text import Text

        line = Text(no_wrap=True, overflow="ignore", end="\n")
        for place, width in found.widths.items():
            part = row[place].copy()
            part.truncate(width, overflow="ellipsis", pad=True)
            line.append_text(part).append(" " * GAP)
        line.rstrip()
        return line


def _cell(column: Column, record: Record) -> "Text":
    """Several lines are for free text only."""
    value = column.value(record)
    return cell(" ".join(value.split()) if isinstance(value, str) and not column.free else value)


def _padded(line: "Text", indent: int) -> "Text":
    line.rstrip()
    line.pad_left(indent)
    line.no_wrap, line.overflow = True, "ignore"
    return line


def details(record: Record) -> "Table":
    """One line a field, those without a value left out."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in record.items():
        if value is not None:
            table.add_row(name, value if isinstance(value, Text) else cell(value))
    return table


def one_line(document: object) -> "Text | None":
    """A JSON document as it is, cut at the end of the line; None for none."""
    from rich.text import Text

    if document is None:
        return None
    said = json.dumps(document, ensure_ascii=False)
    return Text(format.printable(said), no_wrap=True, overflow="ellipsis")


def cell(value: object) -> "Text":
    """A value, coloured when it is a word that matters; control characters are escaped."""
    from rich.text import Text

    said = words(value)
    return Text(format.printable(said), style=_STYLES.get(said, ""))


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
