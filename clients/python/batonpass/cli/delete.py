"""`batonpass delete`."""

from collections.abc import Sequence

import click

from batonpass.cli import file_options as options
from batonpass.cli.files.loading import load
from batonpass.cli.files.target import Target
from batonpass.cli.session import Session, pass_session
from batonpass.cli.verb import Verb


@click.command(
    cls=Verb,
    examples="""
    batonpass delete -f schedules.yaml
    batonpass delete -f schedules/ --dry-run
    """,
)
@options.FILES
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
@pass_session
def delete(session: Session, files: Sequence[str], dry_run: bool) -> None:
    """Delete everything that files have, schedules first. What is not there any more is no failure."""
    target = Target(session)
    records = []
    for document in reversed(load(files)):
        is_there = target.find(document) is not None if dry_run else target.delete(document)
        verb = "delete" if is_there else "absent"
        records.append({"kind": document.kind, "id": document.ident, "change": verb, "fields": []})
    sentences = [options.sentence(record, dry_run=dry_run) for record in records]
    session.say({"dry_run": dry_run, "changes": records}, *sentences)
