"""`batonpass apply`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from batonpass.cli import file_options as options
from batonpass.cli.failure import Failure
from batonpass.cli.files.change import Change, compare
from batonpass.cli.files.document import Document
from batonpass.cli.files.loading import load
from batonpass.cli.files.target import Target
from batonpass.cli.output import Record
from batonpass.cli.session import Session, pass_session
from batonpass.cli.verb import Verb


@click.command(
    cls=Verb,
    examples="""
    batonpass apply -f schedules.yaml
    batonpass apply -f schedules.yaml --dry-run
    batonpass apply -f schedules/ --prune -l app=shop
    kubectl get cronjob hello -o yaml | batonpass apply -f -
    """,
)
@options.FILES
@click.option("--prune", is_flag=True, help="Delete schedules with the labels of -l that no file has.")
@options.labels("Which schedules --prune is about; may be repeated, all must match.")
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@pass_session
def apply(
    session: Session,
    /,
    files: Sequence[str],
    prune: bool,
    labels: Sequence[tuple[str, str]],
    dry_run: bool,
) -> None:
    """Make schedules, calendars and schedule templates as files say.

    Everything is checked first, by the scheduler as well. What is as the files say already is left alone, so
    it can be repeated; what was done is said also when it ends early. CronJobs of Kubernetes are taken too.
    """
    if prune != bool(labels):
        raise click.UsageError("--prune and -l belong together: -l says which schedules the files are about.")
    documents = load(files)
    options.tell_notes(session, documents)
    target = Target(session)
    changes = [compare(document, target.find(document)) for document in documents]
    _check(target, changes)
    steps = [*changes, *(_surplus(target, documents, dict(labels)) if prune else ())]
    done: list[Record] = []
    try:
        done.extend(_carry_out(target, steps, dry_run))
    except Failure:
        _show(session, done, dry_run)
        raise
    _show(session, done, dry_run)


def _check(target: Target, changes: Sequence[Change]) -> None:
    new = [change.document.ident for change in changes if change.document.kind == "Calendar"]
    for change in changes:
        if change.verb != "unchanged":
            target.check(change.document, new)


def _surplus(target: Target, documents: Sequence[Document], labels: Mapping[str, str]) -> list[Document]:
    """Schedules with these labels that no document has."""
    kept = {document.ident for document in documents if document.kind == "Schedule"}
    found = (found for found in target.schedules(labels) if found.schedule_id not in kept)
    return [Document("Schedule", schedule) for schedule in found]


def _carry_out(target: Target, steps: Sequence[Change | Document], dry_run: bool) -> Iterator[Record]:
    for step in steps:
        if isinstance(step, Change):
            if not dry_run and step.verb != "unchanged":
                target.make(step)
            yield options.change_record(step, step.verb)
        elif dry_run or target.delete(step):
            yield {"kind": step.kind, "id": step.ident, "change": "delete", "fields": [], "notes": []}


def _show(session: Session, done: Sequence[Record], dry_run: bool) -> None:
    record: dict[str, Any] = {"dry_run": dry_run, "changes": list(done)}
    session.say(record, *(options.sentence(each, dry_run=dry_run) for each in done))
