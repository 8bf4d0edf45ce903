"""`batonpass task enqueue`."""

from datetime import UTC, datetime, timedelta
from typing import Any

import click

from batonpass.cli import flags
from batonpass.cli.flags import put
from batonpass.cli.records import task as records
from batonpass.cli.session import Session, pass_session
from batonpass.cli.verb import Verb
from batonpass.queue.v1 import queue_service_pb2 as pb

_PATHS = {
    "name": "name",
    "handler": "handler",
    "priority": "priority",
    "cpu": "resources.cpu_percent",
    "memory": "resources.memory_percent",
    "retry_policy": "retry_policy",
    "circuit_breaker": "circuit_breaker",
    "timeout": "timeout",
    "payload": "payload",
    "queue": "queue",
}


@click.command(
    cls=Verb,
    examples="""
    batonpass task enqueue inventory --priority 9 --cpu 10 --memory 15
    batonpass task enqueue resize-17 --handler name:resize --payload '{"image": 17}'
    batonpass task enqueue tidy --handler "du -sh /var/tmp" --delay 10m --timeout 1m
    """,
)
@click.argument("task_id", metavar="TASK_ID")
@click.option("--name", metavar="TEXT", help="Name for people.")
@click.option(
    "--handler",
    metavar="HANDLER",
    help="name:REGISTERED, a URL, or a shell command.  [default: a task for pull clients]",
)
@flags.task_options
@click.option(
    "--run-at", type=flags.TIME, help="Earliest time it may run: RFC 3339 or +10m.  [default: at once]"
)
@click.option("--delay", type=flags.DURATION, help="The same, counted from now.")
@pass_session
def enqueue(
    session: Session, /, task_id: str, run_at: datetime | None, delay: timedelta | None, **given: Any
) -> None:
    """Put a task into the queue. Its TASK_ID makes the call repeatable: the same task is queued once."""
    request = pb.EnqueueTaskRequest(task_id=task_id)
    request.template.SetInParent()
    for option, path in _PATHS.items():
        if given[option] is not None:
            put(request.template, path, given[option])
    start = _start(run_at, delay)
    if start is not None:
        request.run_time.FromDatetime(start)
    reply = session.tasks.EnqueueTask(request)
    record = {**records.record(reply.task), "created": reply.created}
    session.say(record, _sentence(record))


def _start(run_at: datetime | None, delay: timedelta | None) -> datetime | None:
    if run_at is not None and delay is not None:
        raise click.UsageError("--run-at and --delay exclude each other: give one.")
    if delay is None:
        return run_at
    try:
        return datetime.now(UTC) + delay
    except OverflowError:
        raise click.UsageError("--delay reaches beyond the year 9999.") from None


def _sentence(record: dict[str, Any]) -> str:
    if not record["created"]:
        return f"{record['task_id']} had been enqueued before; it is {record['state']}."
    return f"Enqueued {record['task_id']} with priority {record['priority']} ({record['band']})."
