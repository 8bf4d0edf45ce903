"""What commands have in common: shared options, examples in the help, failures in the form asked for."""

import os
import sys
import textwrap
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, Final, NoReturn

import click

from batonpass.cli import output
from batonpass.cli.failure import Fault, fault_of
from batonpass.cli.program import NAME, as_called, program
from batonpass.cli.session import Session

INTERRUPTED: Final = 130

MODULES: Final = {"import": "importing"}
"""Commands whose names are words of Python: the module and function that they are in."""


def _keep(context: click.Context, parameter: click.Parameter, value: object) -> None:
    """Stores a shared option in the session, which holds what the root group was given."""
    session = context.find_object(Session)
    if value is not None and session is not None and parameter.name is not None:
        setattr(session, parameter.name, value)


def _shared_options() -> list[click.Parameter]:
    """What every verb takes, before or after its name."""
    forms = click.Choice(output.FORMATS)
    return [
        _shared("-o", "--output", "form", type=forms, is_eager=True, help="How to print the result."),
        _shared("--namespace", metavar="NAME", help="Namespace to work in."),
        _shared("--actor", metavar="TEXT", help="Who acts, for the record."),
    ]


def _shared(*names: str, **settings: Any) -> click.Option:
    return click.Option(names, expose_value=False, callback=_keep, **settings)


class Verb(click.Command):
    """A command with examples, which takes the shared options."""

    def __init__(self, *args: Any, examples: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = textwrap.dedent(examples).strip()
        self.params.extend(_shared_options())

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Options below the title of their group, those without one last."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            line = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if line is not None:
                groups.setdefault(getattr(parameter, "group", "Options"), []).append(line)
        for title, lines in sorted(groups.items(), key=lambda one: one[0] == "Options" and len(groups) > 1):
            with formatter.section(title):
                formatter.write_dl(lines)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.examples:
            with formatter.section("Examples"):
                formatter.write(textwrap.indent(as_called(self.examples), "  ") + "\n")


class Noun(click.Group):
    """A group of verbs."""

    command_class = Verb


class Root(click.Group):
    """The whole command line. Commands are imported when they are called, so that `--help` is quick."""

    command_class = Verb

    def __init__(self, *args: Any, lazy: Mapping[str, str] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lazy: Mapping[str, str] = lazy or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.lazy:
            return None
        name = MODULES.get(cmd_name, cmd_name)
        command: click.Command = getattr(import_module(f"batonpass.cli.{name}"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(self.lazy.items()))

    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> NoReturn:
        """Runs a command line and exits: 0 done, 1 a failure of a service or the work, 2 wrong usage."""
        words = sys.argv[1:] if args is None else list(args)
        extra["standalone_mode"] = False
        # A wrapper's name is for people; shells complete the program itself.
        extra.setdefault("complete_var", f"_{NAME.upper()}_COMPLETE")
        sys.exit(self._run(words, prog_name or program(), extra))

    def _run(self, words: list[str], name: str, extra: dict[str, Any]) -> int:
        form = output.wanted(words)
        try:
            _check_text(words)
            code = super().main(words, name, **extra)
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message(), err=True)
            return error.exit_code
        except click.ClickException as error:
            output.fail(fault_of(error), form)
            return error.exit_code
        except click.Abort:
            return INTERRUPTED
        except Exception as error:
            return _unexpected(error, form)
        return code if isinstance(code, int) else 0


def _check_text(words: Sequence[str]) -> None:
    for word in words:
        if not word.isascii() and any("\ud800" <= char <= "\udfff" for char in word):
            raise click.UsageError(f"{word!a} is not UTF-8 text.")


def _unexpected(error: Exception, form: str) -> int:
    """A defect of this program: said in one line, with the trace for those who ask for it."""
    if os.environ.get("BATONPASS_DEBUG"):
        raise error
    hint = "run it again with BATONPASS_DEBUG=1 for the trace, and report it."
    output.fail(Fault("INTERNAL", f"unexpected {type(error).__name__}: {error}", hint=hint), form)
    return 1
