"""`batonpass import`: schedules from what other programs have."""

from collections.abc import Sequence

import click

from batonpass.cli import file_options as options
from batonpass.cli.failure import Failure, Unfinished
from batonpass.cli.files import crontab as tables
from batonpass.cli.files import yaml_text
from batonpass.cli.files.change import compare
from batonpass.cli.files.defaults import without_defaults
from batonpass.cli.files.document import Document, content_with_kind
from batonpass.cli.files.target import Target
from batonpass.cli.output import Record
from batonpass.cli.session import Session, pass_session
from batonpass.cli.verb import Noun


@click.group(cls=Noun, name="import")
def importing() -> None:
    """Make schedules of what other programs have."""


@importing.command(
    examples="""
    batonpass import crontab /etc/crontab --system --dry-run
    crontab -l | batonpass import crontab - --prefix web1- --label host=web1
    """
)
@click.argument("file", metavar="FILE")
@click.option("--prefix", default="", metavar="TEXT", help="What the IDs begin with.")
@click.option("--system", is_flag=True, help="The sixth field names a user, as in /etc/crontab.")
@options.labels("Label of each schedule; may be repeated.")
@click.option("--dry-run", is_flag=True, help="Only print them, as a file for `apply`.")
@pass_session
def crontab(
    session: Session,
    /,
    file: str,
    prefix: str,
    system: bool,
    labels: Sequence[tuple[str, str]],
    dry_run: bool,
) -> None:
    """Make a schedule of each job of a crontab.

    Exit code 1 when a job cannot be taken over, such as @reboot; the others are all the same. IDs come from
    the commands, so that repeating it changes nothing. As with cron, jobs may overlap and missed runs stay
    missed.
    """
    found = tables.read(_text(file), prefix=prefix, system=system)
    for remark in found.remarks:
        session.note(f"{remark}{', so it is not taken over' if remark.is_refusal else ''}")
    documents = []
    for job in found.jobs:
        job.schedule.labels.update(dict(labels))
        documents.append(Document("Schedule", job.schedule, place=f"{file}, line {job.line}"))
    is_complete = _print(session, documents) if dry_run else _apply(session, documents)
    if not is_complete or any(remark.is_refusal for remark in found.remarks):
        raise Unfinished


def _text(file: str) -> str:
    try:
        with click.open_file(file) as opened:
            return str(opened.read())
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"cannot read {file}: {error}") from None


def _print(session: Session, documents: Sequence[Document]) -> bool:
    contents = [content_with_kind("Schedule", without_defaults(each.message)) for each in documents]
    if session.form == "json":
        session.say({"documents": contents})
    else:
        click.echo("---\n".join(map(yaml_text.dumped, contents)), nl=False)
    return True


def _apply(session: Session, documents: Sequence[Document]) -> bool:
    """False when the scheduler refused one of them; the others are made all the same."""
    target = Target(session)
    changes = [compare(document, target.find(document)) for document in documents]
    done: list[Record] = []
    for change in changes:
        try:
            if change.verb != "unchanged":
                target.make(change)
            done.append(options.change_record(change, change.verb))
        except Failure as failure:
            if failure.fault.code != "INVALID_ARGUMENT":
                raise
            session.fail(failure)
    session.say({"changes": done}, *(options.sentence(record, dry_run=False) for record in done))
    return len(done) == len(changes)
