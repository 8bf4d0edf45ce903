"""`batonpass schedule create` and `update`: the verbs that take a whole schedule."""

from datetime import UTC, datetime, timedelta
from typing import Any

import click

from batonpass.cli import flags, format
from batonpass.cli import schedule_options as options
from batonpass.cli.failure import Failure
from batonpass.cli.records import schedule as records
from batonpass.cli.session import Session, pass_session
from batonpass.cli.verb import Verb
from batonpass.cli.views import schedule as views
from batonpass.scheduler.v1 import schedule_service_pb2 as pb
from batonpass.scheduler.v1.schedule_pb2 import Schedule


@click.command(
    cls=Verb,
    examples="""
    batonpass schedule create backup-daily --handler "echo backed up" --cron "0 2 * * *" --priority 8
    batonpass schedule create report --handler name:report --cron "30 7 * * mon-fri" --time-zone Europe/Berlin
    batonpass schedule create pulse --handler "date" --every 30s --overlap skip --timeout 10s
    batonpass schedule create launch --handler name:launch --at 2027-01-01T00:00:00Z
    batonpass schedule create hooks --handler "echo a webhook came in" --event webhook.received --priority 6
    batonpass schedule create ship --handler name:ship --event order.paid --pattern '{"data": {"eu": [true]}}'
    batonpass schedule create ticks --handler "date" --cron "*/10 * * * * *" --seconds first
    batonpass schedule create sync --handler name:sync --cron "0 9 * * *" --cron "30 17 * * fri" --jitter 5m
    batonpass schedule create rent --handler date --calendar-every "1 month" --starting 2026-01-31T09:00:00
    batonpass schedule create pay --handler name:pay --cron "0 6 25 * *" --exclude-calendar holidays
    batonpass schedule create orders --template nightly@2 --param table=orders --label app=shop
    """,
)
@click.argument("schedule_id", metavar="ID")
@options.described
@click.option("--disabled", is_flag=True, help="Do not fire until it is enabled.")
@click.option(
    "--request-id",
    default="",
    metavar="TEXT",
    help="Makes the call repeatable: the same text, the same schedule.",
)
@click.option("--if-not-exists", is_flag=True, help="Succeed, changing nothing, when the ID is taken.")
@pass_session
def create(
    session: Session, /, schedule_id: str, disabled: bool, request_id: str, if_not_exists: bool, **given: Any
) -> None:
    """Make a schedule; it first comes due after now.

    Several of --cron, --every, --at, --calendar-every and --rrule are a union: equal instants fire once.
    """
    wanted = _wanted(schedule_id, given)
    wanted.disabled = disabled
    request = pb.CreateScheduleRequest(schedule=wanted, request_id=request_id)
    made = _create_or_get(session, request) if if_not_exists else _create(session, request)
    session.show(records.record(made), views.schedule)


def _wanted(schedule_id: str, given: dict[str, Any]) -> Schedule:
    wanted, paths = options.describe(schedule_id, given)
    options.check_source(paths)
    if "source" in paths:
        return wanted
    if not wanted.specs:
        raise click.UsageError("Say when: give --cron, --every, --at, --calendar-every, --rrule or --event.")
    if given["handler"] is None:
        raise click.UsageError("Say what runs: give --handler, or --template.")
    wanted.template.name = given["name"] or schedule_id
    return wanted


def _create(session: Session, request: pb.CreateScheduleRequest) -> Schedule:
    made = session.schedules.CreateSchedule(request).schedule
    past = _past(made, datetime.now(UTC))
    if past:
        session.note(past)
    return made


def _past(made: Schedule, now: datetime) -> str | None:
    """What happens to a single instant that has passed already; None when that is not so."""
    if made.disabled or not made.specs or not made.specs[0].HasField("one_shot"):
        return None
    age = now - made.specs[0].one_shot.time.ToDatetime(UTC)
    if age <= timedelta(0):
        return None
    window = made.catchup_window.ToTimedelta()
    text = f"Its time lies {format.duration(timedelta(seconds=int(age.total_seconds())))} in the past"
    if age <= window:
        return f"{text}, within the catch-up window of {format.duration(window)}: it fires at once."
    return (
        f"{text}, beyond the catch-up window of {format.duration(window)}:"
        " it does not fire and ends MISSED_WINDOW."
    )


def _create_or_get(session: Session, request: pb.CreateScheduleRequest) -> Schedule:
    try:
        return _create(session, request)
    except Failure as failure:
        if failure.fault.code != "ALREADY_EXISTS":
            raise
    session.note(f"Schedule {request.schedule.schedule_id} exists already; nothing was changed.")
    return session.schedules.GetSchedule(
        pb.GetScheduleRequest(schedule_id=request.schedule.schedule_id)
    ).schedule


@click.command(
    cls=Verb,
    examples="""
    batonpass schedule update backup-daily --cron "30 3 * * *" --priority 9
    batonpass schedule update report --time-zone America/New_York
    batonpass schedule update pulse --every 1m --timeout 20s --clear end
    """,
)
@click.argument("schedule_id", metavar="ID")
@options.described
@click.option(
    "--generation",
    type=flags.INT64,
    default=0,
    metavar="N",
    help="Change it only when this is its generation.",
)
@click.option(
    "--clear",
    multiple=True,
    type=click.Choice(list(options.CLEARABLE)),
    help="Take this away; may be repeated. Without its schedule template it stays as it is.",
)
@pass_session
def update(
    session: Session, /, schedule_id: str, generation: int, clear: tuple[str, ...], **given: Any
) -> None:
    """Change what the options name and leave the rest. An instant that has fired does not fire again.

    Times that are given replace all that there were, and so do exclusions and labels.
    """
    wanted, paths = options.describe(schedule_id, given)
    options.check_source(paths)
    paths += [options.CLEARABLE[name] for name in clear]
    if not paths:
        raise click.UsageError("Nothing to change: give at least one option with a new value.")
    request = pb.UpdateScheduleRequest(schedule=wanted, generation=generation)
    request.update_mask.paths.extend(paths)
    session.show(records.record(session.schedules.UpdateSchedule(request).schedule), views.schedule)
