"""Command lines, read by the very parsers that will read them; nothing is run."""

import shlex
from collections.abc import Sequence
from pathlib import Path

import click
from batonpass.cli.main import cli

from queue_service.settings import QueueSettings
from scheduler_service.settings import SchedulerSettings
from service_kit import probe
from service_kit.settings import Settings, load

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def parse(words: Sequence[str]) -> None:
    """Fails (SystemExit, click.UsageError) when the program would refuse its arguments."""
    match list(words):
        case ["python", "-m", "service_kit.probe", *rest]:
            probe.parser().parse_args(rest)
        case ["batonpass", *rest]:
            parse_cli(rest)
        case ["python", "-m", "queue_service", *rest]:
            parse_service(QueueSettings, rest)
        case ["python", "-m", "scheduler_service", *rest]:
            parse_service(SchedulerSettings, rest)
        case [program] if (EXAMPLES / Path(program).name).is_file():
            pass
        case _:
            raise AssertionError(f"no program of ours: {words}")


def parse_service(settings: type[Settings], words: Sequence[str]) -> None:
    """`words` are verb and flags; where the database is comes from elsewhere."""
    flags = words[1:] if words[:1] in (["migrate"], ["serve"]) else words
    load(settings, [*flags, "--database-url=postgresql://host/database"])


def parse_cli(words: Sequence[str]) -> None:
    context: click.Context = cli.make_context("batonpass", list(words))
    while isinstance(context.command, click.Group):
        rest = [*context._protected_args, *context.args]
        name, command, arguments = context.command.resolve_command(context, rest)
        assert command is not None
        context = command.make_context(name, arguments, parent=context)


def in_shell(text: str) -> list[list[str]]:
    """The calls of our programs in a piece of shell, `./dev batonpass` included."""
    lines = text.replace("\\\n", " ").splitlines()
    words = [call for line in lines for call in _simple_commands(line)]
    calls = [call[1:] if call[:1] == ["./dev"] else call for call in words]
    return [call for call in calls if call[:1] == ["batonpass"] or call[:2] == ["python", "-m"]]


def _simple_commands(line: str) -> list[list[str]]:
    """The commands of a line, split where the shell would: at operators outside quotes."""
    calls: list[list[str]] = [[]]
    words = shlex.shlex(line, posix=True, punctuation_chars=True)
    words.whitespace_split = True
    for word in words:
        if set(word) <= set(";|&()"):
            calls.append([])
        else:
            calls[-1].append(word)
    return calls
