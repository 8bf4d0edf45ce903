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
        "batonpass": installed_version("batonpass"),
        "grpcio": installed_version("grpcio"),
        "protobuf": installed_version("protobuf"),
        "python": platform.python_version(),
    }
    session.say(record, *(f"{name} {number or 'unknown'}" for name, number in record.items()))


def installed_version(package: str) -> str | None:
    """The version of an installed distribution; None when it runs from its source alone."""
    try:
        return installed(package)
    except PackageNotFoundError:
        return None
