"""`batonpass export`."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import click

from batonpass.cli import file_options as options
from batonpass.cli.files import yaml_text
from batonpass.cli.files.defaults import without_defaults
from batonpass.cli.files.document import content_with_kind
from batonpass.cli.files.target import Target
from batonpass.cli.session import Session, pass_session
from batonpass.cli.verb import Verb
from batonpass.scheduler.v1.schedule_pb2 import Schedule
from batonpass.scheduler.v1.schedule_service_pb2 import GetScheduleRequest


@click.command(
    cls=Verb,
    examples="""
    batonpass export
    batonpass export backup-daily report
    batonpass export -l app=shop > shop.yaml
    """,
)
@click.argument("schedule_ids", metavar="[ID]...", nargs=-1)
@options.labels("Only schedules with this label; may be repeated, all must match.")
@pass_session
def export(session: Session, schedule_ids: Sequence[str], labels: Sequence[tuple[str, str]]) -> None:
    """Print schedules as files for `apply`, with the calendars and schedule templates that they need.

    Without ID and -l: everything, also calendars and schedule templates that no schedule needs.
    """
    if schedule_ids and labels:
        raise click.UsageError("Give either IDs or -l.")
    target = Target(session)
    schedules = _chosen(session, schedule_ids) if schedule_ids else target.schedules(dict(labels))
    is_whole = not schedule_ids and not labels
    documents = list(_documents(target, schedules, is_whole))
    if session.form == "json":
        session.say({"documents": documents})
    else:
        click.echo("---\n".join(yaml_text.dumped(each) for each in documents), nl=False)


def _chosen(session: Session, ids: Sequence[str]) -> list[Schedule]:
    return [
        session.schedules.GetSchedule(GetScheduleRequest(schedule_id=schedule_id)).schedule
        for schedule_id in ids
    ]


def _documents(target: Target, schedules: Iterable[Schedule], is_whole: bool) -> Iterator[dict[str, Any]]:
    """Calendars, schedule templates, schedules: the order in which they are made."""
    schedules = list(schedules)
    calendars = {name for one in schedules for name in (*one.include_calendars, *one.exclude_calendars)}
    for calendar in target.calendars() if is_whole or calendars else ():
        if is_whole or calendar.calendar_id in calendars:
            yield _document("Calendar", calendar)
    newest = {}
    for template in target.templates() if is_whole or any(map(_is_made, schedules)) else ():
        newest[template.template_id] = template.version
        if is_whole or template.template_id in {one.source.template_id for one in schedules}:
            yield _document("ScheduleTemplate", template)
    for schedule in schedules:
        if schedule.source.version == newest.get(schedule.source.template_id):
            schedule.source.version = 0
        yield _document("Schedule", schedule)


def _is_made(schedule: Schedule) -> bool:
    return schedule.HasField("source")


def _document(kind: str, message: Any) -> dict[str, Any]:
    return content_with_kind(kind, without_defaults(message))
