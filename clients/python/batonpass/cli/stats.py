"""`batonpass stats`: both services in one view."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from batonpass.cli.failure import Failure
from batonpass.cli.output import Record
from batonpass.cli.records import queue as queue_records
from batonpass.cli.records import schedule as schedule_records
from batonpass.cli.session import Session, pass_session
from batonpass.cli.verb import Verb
from batonpass.cli.views import queue as queue_views
from batonpass.cli.views import schedule as schedule_views
from batonpass.queue.v1 import queue_service_pb2 as queue_pb
from batonpass.scheduler.v1 import schedule_service_pb2 as scheduler_pb

if TYPE_CHECKING:
    from rich.console import RenderableType


@click.command(cls=Verb, examples="batonpass stats\nbatonpass stats -o json")
@pass_session
def stats(session: Session) -> None:
    """Show the counts of both services in one view. When one of them is away, the other is still shown."""
    failures: list[Failure] = []
    record = {
        "schedules": _try(lambda: _schedules(session), failures),
        "queue": _try(lambda: _queue(session), failures),
    }
    if len(failures) < len(record):
        session.show(record, _view)
    for failure in failures:
        session.fail(failure)
    if failures:
        raise click.exceptions.Exit(max(failure.exit_code for failure in failures))


def _try(read: Callable[[], Record], failures: list[Failure]) -> Record | None:
    try:
        return read()
    except Failure as failure:
        failures.append(failure)
        return None


def _schedules(session: Session) -> Record:
    reply = session.schedules.GetScheduleStats(scheduler_pb.GetScheduleStatsRequest())
    return schedule_records.stats(reply, None)


def _queue(session: Session) -> Record:
    reply = session.tasks.GetQueueStatus(queue_pb.GetQueueStatusRequest())
    return queue_records.status(reply, datetime.now(UTC))


def _view(record: Record) -> "Iterable[RenderableType]":
    if record["schedules"]:
        yield "Schedules"
        yield from schedule_views.stats(record["schedules"])
    if record["schedules"] and record["queue"]:
        yield ""
    if record["queue"]:
        yield "Queue"
        yield from queue_views.status(record["queue"])
