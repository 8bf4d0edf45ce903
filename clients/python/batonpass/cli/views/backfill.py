"""Backfills as tables, and their progress while somebody waits."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from batonpass.cli.output import Record
from batonpass.cli.program import as_called
from batonpass.cli.tables import Column, details, grid, key, minute

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import RenderableType


def _progress(record: Record) -> str:
    return f"{record['fired']}/{record['total']}"


BACKFILLS: Final = (
    key("ID", "backfill_id"),
    key("SCHEDULE", "schedule_id"),
    minute("FROM", "from", drop=2),
    minute("UNTIL", "until", drop=2),
    key("STATE", "state"),
    Column("FIRED", _progress),
    key("ACCEPTED", "accepted", drop=1),
    key("REFUSED", "refused", drop=1),
    minute("NEXT", "next", drop=3),
)


def backfills(record: Record) -> "Iterable[RenderableType]":
    """A list of backfills."""
    nothing = as_called("No backfills. batonpass backfill create makes one.")
    yield grid(record["backfills"], BACKFILLS, nothing)


def backfill(record: Record) -> "Iterable[RenderableType]":
    """One backfill, field by field."""
    yield details({name: value for name, value in record.items() if value is not None})


@contextmanager
def progress(total: int) -> "Iterator[Callable[[Record], None]]":
    """A function that shows how far a backfill is: a bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda record: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as shown:
        bar = shown.add_task("fired", total=total)
        yield lambda record: shown.update(bar, completed=record["fired"])
