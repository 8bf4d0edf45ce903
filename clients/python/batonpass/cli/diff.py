"""`batonpass diff`."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

from batonpass.cli import file_options as options
from batonpass.cli.failure import Unfinished
from batonpass.cli.files.change import Change, compare
from batonpass.cli.files.loading import load
from batonpass.cli.files.target import Target
from batonpass.cli.output import Record
from batonpass.cli.session import Session, pass_session
from batonpass.cli.verb import Verb

if TYPE_CHECKING:
    from rich.console import RenderableType


@click.command(
    cls=Verb,
    examples="""
    batonpass diff -f schedules.yaml
    batonpass diff -f schedules/ -o json
    """,
)
@options.FILES
@pass_session
def diff(session: Session, files: Sequence[str]) -> None:
    """Show what `apply` would change, line by line. Exit code 1 when there is a difference.

    Nothing is changed. Defaults that are not written down are no difference.
    """
    target = Target(session)
    changes = [compare(document, target.find(document)) for document in load(files)]
    differing = [change for change in changes if change.verb != "unchanged"]
    session.show({"differences": [_record(change) for change in differing]}, _view)
    if differing:
        raise Unfinished


def _record(change: Change) -> Record:
    record = options.change_record(change, change.verb)
    return {**record, "before": dict(change.before), "after": dict(change.after), "diff": change.diff()}


def _view(record: Record) -> "Iterable[RenderableType]":
    if not record["differences"]:
        yield "Everything is as the files say."
    for difference in record["differences"]:
        yield difference["diff"].rstrip("\n")
