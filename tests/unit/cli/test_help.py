"""Help is there for every command, with examples that parse, and it comes quickly."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from batonpass.cli import main
from batonpass.cli.verb import Verb

from tests.support.fake_services import FakeServices
from tests.unit.cli.conftest import CommandLine

PROMISED = """
schedule create, schedule list, schedule get, schedule update, schedule delete, schedule enable,
schedule disable, schedule queue, schedule stats, schedule fires, schedule preview, schedule explain,
calendar create, calendar get, calendar list, calendar update, calendar delete, calendar periods,
calendar import,
template put, template get, template list, template delete, template upgrade,
apply, diff, export, delete, import crontab, schema,
event trigger, process, stats,
task enqueue, task next, task execute, task complete, task get, task list, task cancel, task reprioritize,
queue status, queue limits, queue prevent-starvation, executor list, watch, agent
"""


def python(*words: str, **env: str) -> "subprocess.CompletedProcess[str]":
    """A Python process that finds the packages as this one does."""
    paths = {"PYTHONPATH": ":".join(sys.path)}
    return subprocess.run(
        [sys.executable, *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **paths, **env},
    )


def leaves(
    command: click.Command = main.cli, words: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every verb with the words that lead to it."""
    if not isinstance(command, click.Group):
        yield words, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None
        yield from leaves(found, (*words, name))


LEAVES = dict(leaves())


def test_every_verb_that_was_promised_is_there() -> None:
    promised = {tuple(words.split()) for words in PROMISED.replace("\n", " ").split(",")}
    assert promised <= set(LEAVES)


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_every_verb_has_help_and_examples(words: tuple[str, ...]) -> None:
    verb = LEAVES[words]
    assert isinstance(verb, Verb)
    assert verb.help
    assert verb.examples
    undocumented = [
        option.name for option in verb.params if isinstance(option, click.Option) and not option.help
    ]
    assert undocumented == []


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_every_example_is_a_command_line_that_parses(words: tuple[str, ...]) -> None:
    verb = LEAVES[words]
    assert isinstance(verb, Verb)
    examples = [shlex.split(line, comments=True) for line in verb.examples.splitlines()]
    mine = [example for example in examples if example[: len(words) + 1] == ["batonpass", *words]]
    assert mine, "at least one example begins with the command itself"
    for example in mine:
        arguments = example[len(words) + 1 :]
        assert not any(word.startswith("@") for word in arguments), "it needs no file of the reader's"
        end = next((i for i, word in enumerate(arguments) if word in ("|", ">")), len(arguments))
        verb.make_context("batonpass", arguments[:end])


def test_one_line_helps_are_those_of_the_commands() -> None:
    for name, text in main.COMMANDS.items():
        command = main.cli.get_command(click.Context(main.cli), name)
        assert command is not None
        assert (command.help or "").startswith(text.removesuffix(".")), name


def test_help_shows_the_examples(batonpass: CommandLine) -> None:
    text = batonpass("schedule", "create", "--help").stdout
    assert "Examples:\n  batonpass schedule create" in text
    assert "10 = most urgent" in text
    titles = [line for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert [title.removesuffix(":") for title in titles] == [
        "When",
        "Events",
        "Exceptions and clocks",
        "Task",
        "Policies",
        "Schedule template",
        "Options",
        "Examples",
    ]


def test_a_wrapper_names_the_program(services: FakeServices, tmp_path: Path) -> None:
    """Help, usage, hints and empty lists are what the reader can type."""
    env = {"BATONPASS_PROGRAM": "./dev batonpass", "BATONPASS_HOME": str(tmp_path)}
    places = {"BATONPASS_QUEUE": services.address, "BATONPASS_SCHEDULER": services.address}
    module = ("-m", "batonpass.cli.main")
    shown = python(*module, "schedule", "list", "--help", **env).stdout
    assert shown.startswith("Usage: ./dev batonpass schedule list")
    assert "  ./dev batonpass schedule list -o json" in shown
    assert "  ./dev batonpass watch" in python(*module, "--help", **env).stdout
    assert "./dev batonpass task get --help shows" in python(*module, "task", "get", **env).stderr
    listed = python(*module, "executor", "list", **env, **places).stdout
    assert listed == "No executors yet. ./dev batonpass agent starts one.\n"


@pytest.mark.parametrize("words", [(), ("schedule",)])
def test_a_command_line_without_a_verb_shows_the_help(batonpass: CommandLine, words: tuple[str, ...]) -> None:
    assert batonpass(*words, expect=2).stderr.startswith("Usage: batonpass")


def test_an_unknown_command_is_wrong_usage(batonpass: CommandLine) -> None:
    assert "No such command" in batonpass("shcedule", expect=2).stderr


@pytest.mark.parametrize("words", [["--help"], ["--version"]])
def test_the_first_help_imports_nothing_slow(words: list[str]) -> None:
    """grpc alone takes longer than all the rest of the start."""
    program = (
        "import sys\nfrom batonpass.cli.main import cli\n"
        f"try:\n    cli.main({words!r})\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "slow = {'grpc', 'rich', 'yaml', 'google', 'cryptography', 'asyncio', 'sqlalchemy', 'pydantic'}\n"
        "found = sorted(slow & set(sys.modules))\nassert not found, found\n"
    )
    done = python("-c", program)
    assert done.returncode == 0, done.stderr


def test_it_runs_as_a_module() -> None:
    done = python("-m", "batonpass.cli.main", "version", "-o", "json")
    assert done.returncode == 0, done.stderr
    assert '"python"' in done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_printed(batonpass: CommandLine, shell: str) -> None:
    assert "_BATONPASS_COMPLETE" in batonpass("completion", shell).stdout


def test_completion_knows_the_verbs() -> None:
    """What the shell asks for after `batonpass schedule d`."""
    program = "import sys; sys.argv[0] = 'batonpass'; from batonpass.cli.main import main; main()"
    asked = {"COMP_WORDS": "batonpass schedule d", "COMP_CWORD": "2"}
    done = python("-c", program, _BATONPASS_COMPLETE="bash_complete", **asked)
    assert done.stdout.split() == ["plain,delete", "plain,disable"]
