"""`batonpass queue`: the queue as a whole."""

from datetime import UTC, datetime, timedelta

import click

from batonpass.cli import flags
from batonpass.cli.output import Record
from batonpass.cli.records import queue as records
from batonpass.cli.session import Session, pass_session
from batonpass.cli.verb import Noun
from batonpass.cli.views import queue as views
from batonpass.queue.v1 import queue_service_pb2 as pb


@click.group(cls=Noun)
def queue() -> None:
    """Show the queue, its limits and who starves."""


@queue.command(examples="batonpass queue status\nbatonpass queue status --queue reports -o json")
@flags.any_queue()
@pass_session
def status(session: Session, queue: str) -> None:
    """Show counts, resource use and the oldest wait."""
    reply = session.tasks.GetQueueStatus(pb.GetQueueStatusRequest(queue=queue))
    session.show(records.status(reply, datetime.now(UTC)), views.status)


@queue.command(
    examples="""
    batonpass queue limits
    batonpass queue limits --max-tasks 8 --max-cpu 85
    batonpass queue limits --executor host-7 --max-memory 60
    """
)
@click.option("--executor", default="", metavar="NAME", help="Only this executor.  [default: the defaults]")
@click.option("--max-tasks", type=flags.INT32, metavar="N", help="Most tasks at a time.")
@click.option("--max-cpu", type=flags.PERCENT, help="Most declared CPU, in percent of the host.")
@click.option("--max-memory", type=flags.PERCENT, help="Most declared memory, in percent of the host.")
@pass_session
def limits(
    session: Session, executor: str, max_tasks: int | None, max_cpu: float | None, max_memory: float | None
) -> None:
    """Show the limits in force, or change those that are given; in force at once, for new starts."""
    if max_tasks is max_cpu is max_memory is None:
        session.show(_limits(session, executor), views.limits)
        return
    request = pb.UpdateLimitsRequest(
        executor=executor, max_tasks=max_tasks, max_cpu_percent=max_cpu, max_memory_percent=max_memory
    )
    reply = session.tasks.UpdateLimits(request)
    changed = [reply.executor] if reply.HasField("executor") else []
    session.show(records.all_limits(reply.defaults, changed), views.limits)
    for sentence in _closed(executor, max_tasks, max_cpu, max_memory):
        session.note(sentence)


def _closed(
    executor: str, max_tasks: int | None, max_cpu: float | None, max_memory: float | None
) -> list[str]:
    """What does not start any more, when a limit was set to 0."""
    where = f"on {executor}" if executor else "where these defaults hold"
    effects = (
        (max_tasks, "Nothing new starts", "--max-tasks"),
        (max_cpu, "Nothing new that declares CPU starts", "--max-cpu"),
        (max_memory, "Nothing new that declares memory starts", "--max-memory"),
    )
    return [f"{what} {where} until {option} is raised." for limit, what, option in effects if limit == 0]


def _limits(session: Session, executor: str) -> Record:
    reply = session.tasks.GetLimits(pb.GetLimitsRequest(executor=executor))
    return records.all_limits(reply.defaults, list(reply.executors))


@queue.command(
    "prevent-starvation",
    examples="""
    batonpass queue prevent-starvation
    batonpass queue prevent-starvation --boost
    batonpass queue prevent-starvation --threshold 10m
    """,
)
@click.option(
    "--threshold", type=flags.DURATION, help="Set the wait that raises a task by one level.  [at first: 30m]"
)
@click.option("--boost", is_flag=True, help="Raise each of them by one more level now.")
@flags.any_queue()
@pass_session
def prevent_starvation(session: Session, threshold: timedelta | None, boost: bool, queue: str) -> None:
    """Show the tasks whose priority a long wait has raised."""
    request = pb.PreventStarvationRequest(boost=boost, queue=queue)
    if threshold is not None:
        request.threshold.FromTimedelta(threshold)
    session.show(records.starvation(session.tasks.PreventStarvation(request)), views.starvation)


@queue.command(examples="batonpass queue holds\nbatonpass queue holds -o json")
@pass_session
def holds(session: Session) -> None:
    """Show what blackouts keep from starting, now or later."""
    reply = session.tasks.ListHolds(pb.ListHoldsRequest())
    session.show({"holds": [records.hold(one) for one in reply.holds]}, views.holds)
