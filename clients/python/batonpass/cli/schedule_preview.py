"""`batonpass schedule preview` and `explain`: what will come due, and what that means."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import click

from batonpass.cli import flags, timing_options
from batonpass.cli.records import schedule as records
from batonpass.cli.session import Session, pass_session
from batonpass.cli.verb import Verb
from batonpass.cli.views import schedule as views
from batonpass.scheduler.v1 import schedule_service_pb2 as pb
from batonpass.scheduler.v1.schedule_pb2 import Schedule

_FROM = click.option(
    "--from", "start_at", type=flags.TIME, help="Only instants after this one.  [default: now]"
)


def _count(default: int) -> Callable[[flags.Decorated], flags.Decorated]:
    return click.option(
        "--count", type=click.IntRange(1), default=default, show_default=True, metavar="N", help="How many."
    )


@click.command(
    cls=Verb,
    examples="""
    batonpass schedule preview backup-daily --count 3
    batonpass schedule preview --cron "30 2 * * *" --time-zone Europe/Berlin --from 2027-03-27T00:00:00Z
    batonpass schedule preview --every 90m --exclude-cron "0 12 * * *"
    """,
)
@click.argument("schedule_id", metavar="[ID]", required=False, default="")
@timing_options.timing
@_count(5)
@_FROM
@pass_session
def preview(
    session: Session, /, schedule_id: str, count: int, start_at: datetime | None, **given: Any
) -> None:
    """Show the next instants of a schedule, or of one that is not made yet."""
    draft = Schedule()
    paths = timing_options.put_timing(draft, given)
    if bool(schedule_id) == ("specs" in paths):
        raise click.UsageError(
            "Give either the ID of a schedule, or when: --cron, --every, --at, --calendar-every, --rrule or"
            " --event."
        )
    if schedule_id and paths:
        raise click.UsageError("A schedule that is stored says itself when: leave out the options.")
    reply = _asked(session, schedule_id, draft, count, start_at)
    record = records.prospect(reply)
    if not reply.fires and _listens(session, schedule_id, draft):
        session.say(record, "It fires on events, not by time.")
    else:
        session.show(record, views.preview)


@click.command(
    cls=Verb,
    examples="""
    batonpass schedule explain "0 9 * * mon-fri"
    batonpass schedule explain "H 2 * * *" --id backup-daily --time-zone Europe/Berlin
    batonpass schedule explain "0 0 13 * FRI" --days and --count 3
    batonpass schedule explain --rrule "FREQ=MONTHLY;BYDAY=-1FR" --starting 2026-01-01T17:00:00
    """,
)
@click.argument("expression", metavar="[EXPR]", required=False)
@timing_options.but_cron
@click.option("--id", "schedule_id", default="", metavar="ID", help="Of the schedule, which chooses for H.")
@_count(5)
@_FROM
@pass_session
def explain(
    session: Session,
    /,
    expression: str | None,
    schedule_id: str,
    count: int,
    start_at: datetime | None,
    **given: Any,
) -> None:
    """Say in plain English what a cron expression means, and show when it fires next.

    Any other way to say when will do as well.
    """
    draft = Schedule(schedule_id=schedule_id)
    crons = () if expression is None else (expression,)
    if "specs" not in timing_options.put_timing(draft, {**given, "cron": crons}):
        raise click.UsageError("Say what to explain: a cron expression, or an option such as --every.")
    record = records.prospect(_asked(session, "", draft, count, start_at))
    if _listens(session, "", draft):
        session.say(record, *record["description"])
    else:
        session.show(record, views.explanation)


def _asked(
    session: Session, schedule_id: str, draft: Schedule, count: int, start_at: datetime | None
) -> pb.PreviewScheduleResponse:
    request = pb.PreviewScheduleRequest(schedule_id=schedule_id, count=count)
    if not schedule_id:
        request.draft.CopyFrom(draft)
    if start_at is not None:
        request.from_time.FromDatetime(start_at)
    return session.schedules.PreviewSchedule(request)


def _listens(session: Session, schedule_id: str, draft: Schedule) -> bool:
    """Whether events make it fire."""
    if schedule_id:
        draft = session.schedules.GetSchedule(pb.GetScheduleRequest(schedule_id=schedule_id)).schedule
    return any(spec.HasField("event") for spec in draft.specs)
