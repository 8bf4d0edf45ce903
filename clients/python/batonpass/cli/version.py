"""`batonpass version`."""

import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed

import click

from batonpass.cli.session import Session, pass_session
from batonpass.cli.verb import Verb


@click.command(cls=Verb, examples="batonpass version\nbatonpass version -o json")
@pass_session
def version(session: Session) -> None:
    """Show the version."""
    record = {
        "batonpass": _installed("batonpass"),
        "grpcio": _installed("grpcio"),
        "protobuf": _installed("protobuf"),
        "python": platform.python_version(),
    }
    session.say(record, *(f"{name} {number or 'unknown'}" for name, number in record.items()))


def _installed(package: str) -> str | None:
    try:
        return installed(package)
    except PackageNotFoundError:
        return None
