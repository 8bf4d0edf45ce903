"""Records on stdout, in the form that was asked for; notes and failures on stderr."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import IO, TYPE_CHECKING, Any, Final

import click

from batonpass.cli.failure import Fault
from batonpass.cli.format import printable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

FORMATS: Final = ("table", "json", "yaml")
VARIABLE: Final = "BATONPASS_OUTPUT"

Record = dict[str, Any]
View = Callable[[Record], "Iterable[RenderableType]"]

_UNLIMITED = 10_000


def show(record: Record, form: str, view: View) -> None:
    """Prints `record`: through `view` for people, or whole as JSON or YAML."""
    if form != "table":
        return click.echo(dump(record, form), nl=False)
    console = screen()
    for part in view(record):
        _print(console, part)


def _print(console: "Console", part: "RenderableType") -> None:
    """On a terminal as wide as that; elsewhere as wide as it gets, without padding on the right."""
    if isinstance(part, str):
        return click.echo(printable(part))
    if console.is_terminal:
        # Not cropped: an id that is longer than the line is worth more than a straight edge.
        return console.print(part, crop=False)
    with console.capture() as captured:
        console.print(part)
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def screen(file: IO[str] | None = None) -> "Console":
    """A console that neither colours nor wraps when its output is not a terminal."""
    from rich.console import Console

    target = file or sys.stdout
    width = None if target.isatty() else _UNLIMITED
    return Console(file=target, highlight=False, width=width)


def dump(record: object, form: str, *, line: bool = False) -> str:
    """`record` as text that ends with a newline; `line` puts JSON on one line."""
    if form == "json":
        return json.dumps(record, indent=None if line else 2, ensure_ascii=False) + "\n"
    import yaml

    return str(yaml.safe_dump(record, sort_keys=False, allow_unicode=True, explicit_start=line))


def note(text: str, form: str) -> None:
    """Says something beside the result, on stderr."""
    _complain(text, {"note": text}, form)


def fail(fault: Fault, form: str) -> None:
    """Says on stderr what went wrong."""
    _complain(fault.text(), {"error": fault.record()}, form)


def _complain(text: str, record: Record, form: str) -> None:
    click.echo(printable(text) if form == "table" else dump(record, form, line=True).rstrip(), err=True)


def wanted(words: Sequence[str]) -> str:
    """The form that a command line asks for, found even when the rest of it is wrong."""
    form = os.environ.get(VARIABLE, "table")
    for word, following in zip(words, (*words, "")[1:], strict=True):
        if word in ("-o", "--output"):
            form = following
        elif word.startswith("--output="):
            form = word.removeprefix("--output=")
        elif word.startswith("-o") and not word.startswith("--"):
            form = word.removeprefix("-o")
    return form if form in FORMATS else "table"
