"""`batonpass`: the root of the command line, and what holds for all of it."""

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import click

from batonpass.cli import flags, output
from batonpass.cli.program import as_called
from batonpass.cli.session import Session
from batonpass.cli.verb import Root
from batonpass.options import DEFAULT_DEADLINE, DEFAULT_NAMESPACE

COMMANDS: Final = {
    "schedule": "Say when work is due, look at it, change it, run it now.",
    "backfill": "Fire the instants of a stretch of time once more, at a rate.",
    "calendar": "Keep times that schedules leave out or keep to, and blackouts.",
    "template": "Keep schedules with parameters, of which schedules are made.",
    "apply": "Make schedules, calendars and schedule templates as files say.",
    "diff": "Show what `apply` would change, line by line.",
    "export": "Print schedules as files for `apply`.",
    "delete": "Delete everything that files have.",
    "import": "Make schedules of what other programs have.",
    "schema": "Print the JSON Schema of files for `apply`.",
    "event": "Tell the scheduler that something happened.",
    "process": "Wait until everything that is due has run.",
    "stats": "Show the counts of both services in one view.",
    "task": "Put tasks into the queue, look at them, run them by hand.",
    "queue": "Show the queue, its limits and who starves.",
    "executor": "Show who runs the work.",
    "watch": "Show what happens to tasks as it happens.",
    "agent": "Run tasks on this host.",
    "certs": "Make certificates for development.",
    "version": "Show the version.",
    "completion": "Print the script that completes commands in a shell.",
}
"""Every command, in the order of the help, with its one-line help."""

HELP: Final = """Decides when work is due, whether it fits, where it runs and what happened to it.

\b
Exit codes: 0 done, 1 a failure reported by a service or by the work, also a service that is away, 2 wrong
usage, 130 Ctrl-C.
Services are found through BATONPASS_SCHEDULER and BATONPASS_QUEUE (HOST:PORT), else through endpoints.json in
BATONPASS_HOME or .batonpass, which ./dev up writes.

\b
Examples:
  batonpass schedule create backup-daily --handler "echo backed up" --cron "0 2 * * *" --priority 8
  batonpass schedule list -o json
  batonpass watch
"""


SETTINGS: Final = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


def default_actor() -> str:
    """The user's name at the operating system, `anonymous` when it has none."""
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return os.environ.get("USER", "anonymous")


def tls_file(name: str, text: str) -> Callable[[flags.Decorated], flags.Decorated]:
    """One of the files of mutual TLS."""
    variable = "BATONPASS" + name.removeprefix("-").replace("-", "_").upper()
    return click.option(name, metavar="FILE", envvar=variable, show_envvar=True, help=text)


def show_version(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    """Prints one line and ends."""
    if wanted and not context.resilient_parsing:
        from batonpass.cli.version import installed_version

        click.echo(f"batonpass {installed_version('batonpass') or 'unknown'}")
        context.exit()


@click.group(cls=Root, lazy=COMMANDS, help=as_called(HELP), context_settings=SETTINGS)
@click.option(
    "-o",
    "--output",
    "form",
    type=click.Choice(output.FORMATS),
    default="table",
    envvar=output.VARIABLE,
    show_default=True,
    show_envvar=True,
    help="How to print results.",
)
@click.option(
    "--scheduler-address",
    type=flags.ADDRESS,
    metavar="HOST:PORT",
    help="Scheduler service.  [env var: BATONPASS_SCHEDULER]",
)
@click.option(
    "--queue-address",
    type=flags.ADDRESS,
    metavar="HOST:PORT",
    help="Queue service.  [env var: BATONPASS_QUEUE]",
)
@click.option(
    "--namespace",
    metavar="NAME",
    default=DEFAULT_NAMESPACE,
    envvar="BATONPASS_NAMESPACE",
    show_default=True,
    show_envvar=True,
    help="Namespace to work in.",
)
@click.option(
    "--actor",
    metavar="TEXT",
    default=default_actor,
    envvar="BATONPASS_ACTOR",
    show_default="name of the user",
    show_envvar=True,
    help="Who acts, for the record.",
)
@click.option(
    "--timeout",
    type=flags.DURATION,
    default=DEFAULT_DEADLINE,
    envvar="BATONPASS_TIMEOUT",
    show_default="10s",
    show_envvar=True,
    help="Longest wait for an answer.",
)
@tls_file("--tls-ca", "Certificate of the CA that signed the services'.")
@tls_file("--tls-cert", "Own certificate.")
@tls_file("--tls-key", "Its key.")
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=show_version,
    help="Show the version.",
)
@click.pass_context
def cli(context: click.Context, /, timeout: timedelta, **options: Any) -> None:
    """See HELP."""
    session = Session(timeout=timeout, **options)
    context.obj = session
    context.call_on_close(session.close)


def main() -> None:
    """Entry point of the `batonpass` command."""
    cli.main()


if __name__ == "__main__":
    main()
