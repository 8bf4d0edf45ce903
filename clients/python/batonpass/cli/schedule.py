"""`batonpass schedule`: when work is due."""

from typing import Any

import click

from batonpass.cli import file_options, flags, schedule_edit, schedule_preview
from batonpass.cli import schedule_options as options
from batonpass.cli.failure import Failure, Fault
from batonpass.cli.output import Record
from batonpass.cli.pages import listed
from batonpass.cli.program import program
from batonpass.cli.records import fire as fire_records
from batonpass.cli.records import schedule as records
from batonpass.cli.session import Session, pass_session
from batonpass.cli.verb import Noun
from batonpass.cli.verdict import settled
from batonpass.cli.views import schedule as views
from batonpass.scheduler.v1 import schedule_service_pb2 as pb
from batonpass.scheduler.v1.schedule_pb2 import Disposition

NOTE = click.option("--note", default="", metavar="TEXT", help="Why, for the record.")
ID = click.argument("schedule_id", metavar="ID")


@click.group(cls=Noun)
def schedule() -> None:
    """Say when work is due, look at it, change it, run it now."""


schedule.add_command(schedule_edit.create)
schedule.add_command(schedule_edit.update)
schedule.add_command(schedule_preview.preview)
schedule.add_command(schedule_preview.explain)


@schedule.command(
    "list",
    examples="batonpass schedule list -o json\nbatonpass schedule list --label app=shop",
)
@file_options.labels("Only those with this label; may be repeated, all must match.")
@flags.limit("schedules")
@pass_session
def list_schedules(session: Session, labels: tuple[tuple[str, str], ...], limit: int) -> None:
    """List schedules by ID."""
    found = listed(
        lambda size, token: session.schedules.ListSchedules(
            pb.ListSchedulesRequest(page_size=size, page_token=token, labels=dict(labels))
        ),
        lambda page: [records.record(one) for one in page.schedules],
        limit,
    )
    session.show({"schedules": found.tell(session)}, views.schedules)


@schedule.command(examples="batonpass schedule get backup-daily\nbatonpass schedule get backup-daily -o json")
@ID
@pass_session
def get(session: Session, schedule_id: str) -> None:
    """Show one schedule."""
    reply = session.schedules.GetSchedule(pb.GetScheduleRequest(schedule_id=schedule_id))
    session.show(records.record(reply.schedule), views.schedule)


@schedule.command(
    examples="batonpass schedule delete backup-daily\nbatonpass schedule delete backup-daily --if-exists"
)
@ID
@click.option("--if-exists", is_flag=True, help="Succeed when there is no such schedule.")
@pass_session
def delete(session: Session, schedule_id: str, if_exists: bool) -> None:
    """Delete a schedule. Its tasks in the queue stay, and so do the records of its fires."""
    deleted = _delete(session, schedule_id, if_exists)
    sentence = (
        f"Deleted {schedule_id}." if deleted else f"There is no schedule {schedule_id}; nothing was deleted."
    )
    session.say({"schedule_id": schedule_id, "deleted": deleted}, sentence)


def _delete(session: Session, schedule_id: str, if_exists: bool) -> bool:
    try:
        session.schedules.DeleteSchedule(pb.DeleteScheduleRequest(schedule_id=schedule_id))
    except Failure as failure:
        if not if_exists or failure.fault.code != "NOT_FOUND":
            raise
        return False
    return True


@schedule.command(
    examples="""
    batonpass schedule enable backup-daily --note "disk replaced"
    batonpass schedule enable report --backfill
    """
)
@ID
@NOTE
@click.option(
    "--backfill", is_flag=True, help="Fire the instants that came due while it was disabled as well."
)
@pass_session
def enable(session: Session, schedule_id: str, note: str, backfill: bool) -> None:
    """Let a schedule fire again, from now on."""
    request = pb.EnableScheduleRequest(schedule_id=schedule_id, note=note, backfill=backfill)
    reply = session.schedules.EnableSchedule(request)
    record = {**records.record(reply.schedule), "backfill_id": reply.backfill_id or None}
    sentences = [f"Enabled {schedule_id}; it comes due next at {record['next_execution'] or 'an event'}."]
    if reply.backfill_id:
        sentences.append(f"{program()} backfill get {reply.backfill_id} shows how far the backfill is.")
    elif backfill:
        sentences.append("Nothing came due while it was disabled: there is no backfill.")
    session.say(record, *sentences)


@schedule.command(examples='batonpass schedule disable backup-daily --note "disk is being replaced"')
@ID
@NOTE
@pass_session
def disable(session: Session, schedule_id: str, note: str) -> None:
    """Stop a schedule from firing. `schedule queue` still works; tasks in the queue stay."""
    request = pb.DisableScheduleRequest(schedule_id=schedule_id, note=note)
    record = records.record(session.schedules.DisableSchedule(request).schedule)
    session.say(record, f"Disabled {schedule_id}.")


@schedule.command(
    examples="batonpass schedule queue backup-daily\nbatonpass schedule queue backup-daily --overlap skip"
)
@ID
@click.option(
    "--overlap", type=options.OVERLAP, help="Overlap policy of this run only.  [default: allow-all]"
)
@click.option(
    "--request-id", default="", metavar="TEXT", help="Makes the call repeatable: the same text, the same run."
)
@pass_session
def queue(session: Session, schedule_id: str, overlap: Any, request_id: str) -> None:
    """Run a schedule now, also a disabled one, and say what the queue made of it.

    Exit code 1 when the queue has not taken it. While the queue is away, the fire waits for it.
    """
    request = pb.RunScheduleRequest(schedule_id=schedule_id, request_id=request_id, overlap_policy=overlap)
    (fire,) = settled(session, [session.schedules.RunSchedule(request).fire])
    record = fire_records.record(fire)
    refusal = _refusal(record)
    if refusal is None:
        session.say(record, *_sentences(record))
        return
    if session.form != "table":
        session.say(record)
    raise Failure(refusal)


def _refusal(fire: Record) -> Fault | None:
    """Why a run has not become a task; None when it has, or still may."""
    match fire["disposition"]:
        case "REJECTED":
            message = (
                f"the queue has refused to run {fire['schedule_id']}: {fire['detail'] or 'no reason given'}"
            )
            return Fault("REJECTED", message)
        case "SKIPPED_OVERLAP":
            other = f"task {fire['detail']}" if fire["detail"] else "a task of it that has not ended"
            message = f"{fire['schedule_id']} was not run, since it overlaps with {other}"
            hint = "--overlap buffer-all runs it after the one in the way, --overlap allow-all beside it."
            return Fault("SKIPPED_OVERLAP", message, hint=hint)
        case _:
            return None


def _sentences(fire: Record) -> list[str]:
    if fire["disposition"] == "PENDING":
        return [
            f"Task {fire['fire_id']} is on its way: the queue has not taken it yet.",
            "It is handed over as soon as the queue answers;"
            f" {program()} schedule fires {fire['schedule_id']} shows what became of it.",
        ]
    return [
        f"Task {fire['fire_id']} is in the queue.",
        f"{program()} process waits for it; {program()} task get {fire['fire_id']} shows how it went.",
    ]


@schedule.command(
    examples="""
    batonpass schedule fires backup-daily
    batonpass schedule fires backup-daily --disposition skipped-overlap --limit 20
    """
)
@ID
@click.option(
    "--disposition",
    type=flags.Word(Disposition, "DISPOSITION_"),
    help="Only what became of them in this way.",
)
@click.option("--backfill", "backfill_id", default="", metavar="ID", help="Only fires of this backfill.")
@flags.limit("fires")
@pass_session
def fires(session: Session, schedule_id: str, disposition: Any, backfill_id: str, limit: int) -> None:
    """Show what became of the instants of a schedule, latest first."""
    found = listed(
        lambda size, token: session.schedules.ListFires(
            pb.ListFiresRequest(
                schedule_id=schedule_id,
                disposition=disposition,
                backfill_id=backfill_id,
                page_size=size,
                page_token=token,
            )
        ),
        lambda page: [fire_records.record(one) for one in page.fires],
        limit,
    )
    session.show({"fires": found.tell(session)}, views.fires)


@schedule.command(examples="batonpass schedule stats\nbatonpass schedule stats backup-daily -o json")
@click.argument("schedule_id", metavar="[ID]", required=False, default="")
@pass_session
def stats(session: Session, schedule_id: str) -> None:
    """Show the counts of all schedules, or of one."""
    reply = session.schedules.GetScheduleStats(pb.GetScheduleStatsRequest(schedule_id=schedule_id))
    session.show(records.stats(reply, schedule_id or None), views.stats)


@schedule.command(examples="batonpass schedule moved\nbatonpass schedule moved -o json")
@flags.limit("schedules")
@pass_session
def moved(session: Session, limit: int) -> None:
    """List schedules whose next instants were moved by new rules of time zones, latest first."""
    found = listed(
        lambda size, token: session.schedules.ListMovedSchedules(
            pb.ListMovedSchedulesRequest(page_size=size, page_token=token)
        ),
        lambda page: [records.moved(one) for one in page.schedules],
        limit,
    )
    session.show({"schedules": found.tell(session)}, views.moved)
