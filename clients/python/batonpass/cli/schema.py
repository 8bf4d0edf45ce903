"""`batonpass schema`."""

import click

from batonpass.cli import output
from batonpass.cli.files import schema as files
from batonpass.cli.session import Session, pass_session
from batonpass.cli.verb import Verb


@click.command(
    cls=Verb,
    examples="""
    batonpass schema > batonpass.schema.json
    """,
)
@pass_session
def schema(session: Session) -> None:
    """Print the JSON Schema of files for `apply`; editors complete and check with it."""
    click.echo(output.dump(files.schema(), "yaml" if session.form == "yaml" else "json"), nl=False)
