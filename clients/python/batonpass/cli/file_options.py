"""What the commands about files have in common."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

import click

from batonpass.cli import flags
from batonpass.cli.output import Record
from batonpass.cli.session import Session

if TYPE_CHECKING:
    from batonpass.cli.files.change import Change
    from batonpass.cli.files.document import Document

FILES: Final = click.option(
    "-f",
    "--file",
    "files",
    multiple=True,
    required=True,
    metavar="FILE|DIR",
    help="A YAML file, a folder with such files, or - for stdin; may be repeated.",
)


def labels(help: str) -> Callable[[flags.Decorated], flags.Decorated]:
    """`-l`: which labels schedules must have."""
    return click.option(
        "-l", "--label", "labels", multiple=True, type=flags.LABEL, metavar="KEY=VALUE", help=help
    )


def tell_notes(session: Session, documents: "Iterable[Document]") -> None:
    """Says what was not taken over."""
    for document in documents:
        for note in document.notes:
            session.note(f"{document.name}: {note}")


def change_record(change: "Change", verb: str) -> Record:
    """What happened, or would, to one document."""
    return {
        "kind": change.document.kind,
        "id": change.document.ident,
        "change": verb,
        "fields": list(change.fields) if verb == "update" else [],
        "notes": list(change.document.notes),
    }


def sentence(record: Record, *, dry_run: bool) -> str:
    """`created schedule report`, `would update schedule report: specs, task`."""
    from batonpass.cli.files.document import WORDS

    verb = record["change"]
    done = _DONE.get(verb, verb)
    said = f"would {verb}" if dry_run and verb in _DONE else done
    fields = f": {', '.join(record['fields'])}" if record["fields"] else ""
    return f"{said} {WORDS[record['kind']]} {record['id']}{fields}"


_DONE: Final = {"create": "created", "update": "updated", "delete": "deleted"}
