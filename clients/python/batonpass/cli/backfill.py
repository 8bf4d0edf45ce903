"""`batonpass backfill`: the instants of a stretch of time, fired once more."""

import time
from datetime import datetime
from typing import Any, Final

import click

from batonpass.cli import flags
from batonpass.cli import schedule_options as options
from batonpass.cli.failure import Unfinished
from batonpass.cli.output import Record
from batonpass.cli.pages import listed
from batonpass.cli.program import program
from batonpass.cli.records import backfill as records
from batonpass.cli.session import Session, pass_session
from batonpass.cli.verb import INTERRUPTED, Noun
from batonpass.cli.views import backfill as views
from batonpass.scheduler.v1 import backfill_service_pb2 as pb

ID = click.argument("backfill_id", metavar="ID")
STATE: Final = flags.Word(pb.BackfillState, "BACKFILL_STATE_")
LOOK_EVERY: Final = 0.5
"""Seconds between two looks at a backfill that is waited for."""


@click.group(cls=Noun)
def backfill() -> None:
    """Fire the instants of a stretch of time once more, at a rate."""


@backfill.command(
    examples="""
    batonpass backfill create report --from 2026-03-01T00:00:00Z --until 2026-04-01T00:00:00Z --dry-run
    batonpass backfill create report --from 2026-03-01T00:00:00Z --until 2026-04-01T00:00:00Z --wait
    batonpass backfill create report --from -7d --until now --per-minute 600 --overlap allow-all
    """
)
@click.argument("schedule_id", metavar="SCHEDULE")
@click.option("--from", "start", type=flags.TIME, required=True, help="The first instant, itself included.")
@click.option("--until", "end", type=flags.TIME, required=True, help="The end, itself not included.")
@click.option("--dry-run", is_flag=True, help="Only count, and show the first instants.")
@click.option(
    "--per-minute", type=click.IntRange(1, 60_000), metavar="N", help="Most fires a minute.  [default: 60]"
)
@click.option("--overlap", type=options.OVERLAP, help="Overlap policy of its fires.  [default: buffer-all]")
@click.option(
    "--priority",
    type=click.IntRange(1, 10),
    metavar="1..10",
    help="Priority of its tasks.  [default: two below the schedule's]",
)
@click.option("--wait", is_flag=True, help="Show its progress until the queue has answered to every fire.")
@click.option(
    "--request-id",
    default="",
    metavar="TEXT",
    help="Makes the call repeatable: the same text, the same backfill.",
)
@pass_session
def create(
    session: Session,
    /,
    schedule_id: str,
    start: datetime,
    end: datetime,
    dry_run: bool,
    wait: bool,
    request_id: str,
    per_minute: int | None,
    overlap: Any,
    priority: int | None,
) -> None:
    """Fire the instants of a schedule between two times once more, oldest first.

    The stretch may lie in the past or in time to come; the schedule may be disabled. Ctrl-C ends the waiting,
    not the backfill.
    """
    if dry_run and wait:
        raise click.UsageError("--dry-run makes nothing to wait for.")
    asked = pb.Backfill(
        schedule_id=schedule_id, per_minute=per_minute or 0, overlap_policy=overlap, priority=priority or 0
    )
    asked.from_time.FromDatetime(start)
    asked.until_time.FromDatetime(end)
    request = pb.CreateBackfillRequest(backfill=asked, dry_run=dry_run, request_id=request_id)
    reply = session.backfills.CreateBackfill(request)
    record = records.record(reply.backfill)
    if dry_run:
        first = [stamp.ToJsonString() for stamp in reply.first_times]
        session.say({**record, "first": first}, *_counted(record, first))
    elif wait:
        _wait(session, record)
    else:
        session.say(record, *_started(record))


def _counted(record: Record, first: list[str]) -> list[str]:
    more = ["..."] if record["total"] > len(first) else []
    return [f"{record['total']} instants of {record['schedule_id']}:", *first, *more]


def _started(record: Record) -> list[str]:
    identity = record["backfill_id"]
    return [
        f"Backfill {identity} fires {record['total']} instants of {record['schedule_id']},"
        f" {record['per_minute']} a minute, at priority {record['priority']}.",
        f"{program()} backfill get {identity} shows how far it is.",
    ]


def _wait(session: Session, record: Record) -> None:
    """Until it has ended and the queue has answered to all of it. Exit code 1 when that refused some."""
    try:
        with views.progress(record["total"]) as show:
            while record["state"] == "RUNNING" or record["accepted"] + record["refused"] < record["fired"]:
                show(record)
                time.sleep(LOOK_EVERY)
                record = _get(session, record["backfill_id"])
            show(record)
    except KeyboardInterrupt:
        session.say(record, *_started(record))
        raise click.exceptions.Exit(INTERRUPTED) from None
    session.show(record, views.backfill)
    if record["refused"] or record["state"] != "DONE":
        raise Unfinished


@backfill.command(examples="batonpass backfill get 0197e3c4-52c9-7b6a-9d1e-0a4f3f6f6a51")
@ID
@pass_session
def get(session: Session, backfill_id: str) -> None:
    """Show a backfill and how far it is."""
    session.show(_get(session, backfill_id), views.backfill)


def _get(session: Session, backfill_id: str) -> Record:
    return records.record(
        session.backfills.GetBackfill(pb.GetBackfillRequest(backfill_id=backfill_id)).backfill
    )


@backfill.command(
    "list", examples="batonpass backfill list\nbatonpass backfill list --schedule report --state running"
)
@click.option("--schedule", "schedule_id", default="", metavar="ID", help="Only those of this schedule.")
@click.option("--state", type=STATE, help="Only those in this state.")
@flags.limit("backfills")
@pass_session
def list_backfills(session: Session, schedule_id: str, state: Any, limit: int) -> None:
    """List backfills, latest first."""
    found = listed(
        lambda size, token: session.backfills.ListBackfills(
            pb.ListBackfillsRequest(schedule_id=schedule_id, state=state, page_size=size, page_token=token)
        ),
        lambda page: [records.record(one) for one in page.backfills],
        limit,
    )
    session.show({"backfills": found.tell(session)}, views.backfills)


@backfill.command(examples="batonpass backfill cancel 0197e3c4-52c9-7b6a-9d1e-0a4f3f6f6a51")
@ID
@pass_session
def cancel(session: Session, backfill_id: str) -> None:
    """Stop a backfill: what has not been fired never is. Its tasks in the queue stay."""
    request = pb.CancelBackfillRequest(backfill_id=backfill_id)
    record = records.record(session.backfills.CancelBackfill(request).backfill)
    session.say(
        record, f"Backfill {backfill_id} is {record['state']}: {record['fired']} of {record['total']} fired."
    )
