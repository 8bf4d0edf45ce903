"""`batonpass task execute`, `extend` and `complete`: running a task by hand, under a lease."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from batonpass.cli import flags
from batonpass.cli.failure import Failure, Fault, Misuse
from batonpass.cli.leases import Key, own_leases
from batonpass.cli.program import program
from batonpass.cli.records import task as records
from batonpass.cli.records.values import instant
from batonpass.cli.session import Session, pass_session
from batonpass.cli.verb import Verb
from batonpass.cli.views import task as views
from batonpass.queue.v1 import pull_service_pb2 as pb
from batonpass.queue.v1.task_pb2 import AttemptReport

OPERATOR = "operator"
DEFAULT_QUEUE = "default"

ID = click.argument("task_id", metavar="TASK_ID")
LEASE = click.option(
    "--lease",
    type=flags.DURATION,
    default="10m",
    show_default=True,
    help="How long it holds without being extended.",
)
TOKEN = click.option(
    "--lease-token", type=flags.INT64, metavar="N", help="Token of the lease.  [default: the one remembered]"
)


@click.command(
    cls=Verb, examples="batonpass task execute inventory\nbatonpass task execute inventory --lease 2h"
)
@ID
@LEASE
@click.option(
    "--executor", default=OPERATOR, show_default=True, metavar="NAME", help="Name to lease it under."
)
@flags.queue()
@click.option(
    "--request-id",
    default="",
    metavar="TEXT",
    help="Makes the call repeatable: the same text, the same lease.",
)
@pass_session
def execute(
    session: Session, task_id: str, lease: timedelta, executor: str, queue: str, request_id: str
) -> None:
    """Lease a task, to do the work by hand. The token is remembered for `task complete`."""
    request = pb.LeaseTaskRequest(task_id=task_id, queue=queue, executor=executor, request_id=request_id)
    request.lease_duration.FromTimedelta(lease)
    record = records.leased(session.pull.LeaseTask(request))
    _remember(session, _key(session, queue, task_id), record)
    session.show(record, views.task)


@click.command(cls=Verb, examples="batonpass task extend inventory --lease 1h")
@ID
@LEASE
@TOKEN
@flags.queue()
@pass_session
def extend(session: Session, task_id: str, lease: timedelta, lease_token: int | None, queue: str) -> None:
    """Move the end of a lease to --lease from now."""
    key = _key(session, queue, task_id)
    request = pb.ExtendLeaseRequest(task_id=task_id, queue=queue, lease_token=lease_token or _token(key))
    request.lease_duration.FromTimedelta(lease)
    reply = session.pull.ExtendLease(request)
    record = {
        "task_id": task_id,
        "lease_token": request.lease_token,
        "lease_expires_at": instant(reply, "lease_expire_time"),
    }
    _remember(session, key, record)
    session.say(record, f"The lease of {task_id} holds until {record['lease_expires_at']}.")


@click.command(
    cls=Verb,
    examples="""
    batonpass task complete inventory --exit-code 0 --cpu 5 --memory 8
    batonpass task complete inventory --exit-code 1 --error "scanner is broken"
    """,
)
@ID
@click.option(
    "--exit-code",
    type=flags.INT32,
    required=True,
    metavar="N",
    help="0 = success; any other is a failed attempt.",
)
@click.option("--cpu", type=flags.PERCENT, help="CPU it used on average, in percent of the host.")
@click.option("--memory", type=flags.PERCENT, help="Most memory it used, in percent of the host.")
@click.option("--duration", type=flags.DURATION, help="How long it took.  [default: since the lease began]")
@click.option("--error", default="", metavar="TEXT", help="What went wrong.")
@click.option(
    "--output-file", type=click.Path(exists=True, dir_okay=False), help="Its output; the end of it is kept."
)
@TOKEN
@flags.queue()
@pass_session
def complete(session: Session, /, task_id: str, queue: str, lease_token: int | None, **measured: Any) -> None:
    """Report how the work of a leased task ended."""
    key = _key(session, queue, task_id)
    token = lease_token or _token(key)
    request = pb.CompleteTaskRequest(
        task_id=task_id, queue=queue, lease_token=token, report=_report(**measured)
    )
    try:
        reply = session.pull.CompleteTask(request)
    except Failure as failure:
        if failure.fault.reason == "STALE_LEASE" and lease_token is None:
            own_leases().forget(key)
        raise
    own_leases().forget(key)
    record = records.record(reply.task)
    session.say(record, _sentence(record))


def _report(
    *,
    exit_code: int,
    cpu: float | None,
    memory: float | None,
    duration: timedelta | None,
    error: str,
    output_file: str | None,
) -> AttemptReport:
    report = AttemptReport(exit_code=exit_code, cpu_percent=cpu, memory_percent=memory, error=error)
    if duration is not None:
        report.duration.FromTimedelta(duration)
    if output_file is not None:
        report.output_tail = _tail(Path(output_file))
    return report


def _tail(path: Path, limit: int = 16_384) -> str:
    """The end of a file as at most `limit` bytes of UTF-8."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - limit))
        data = file.read(limit)
    # Replacement characters are longer than the bytes they stand for.
    return data.decode(errors="replace").encode()[-limit:].decode(errors="ignore")


def _sentence(record: dict[str, Any]) -> str:
    match record["state"]:
        case "SUCCEEDED":
            return f"{record['task_id']} has succeeded."
        case "DEAD":
            return f"{record['task_id']} has failed for good: {record['error'] or 'no attempts are left'}."
        case "SCHEDULED" | "WAITING":
            again = f"attempt {record['attempt']} may run at {record['run_at']}"
            return f"That attempt of {record['task_id']} failed; {again}."
        case state:
            return f"{record['task_id']} is {state}."


def _key(session: Session, queue: str, task_id: str) -> Key:
    return Key(session.namespace, queue or DEFAULT_QUEUE, task_id)


def _token(key: Key) -> int:
    token = own_leases().token(key)
    if token is None:
        place = f"(queue {key.queue}, namespace {key.namespace})"
        message = f"no lease of task {key.task_id} {place} is remembered here"
        hint = f"{program()} task execute {key.task_id} leases it; --lease-token takes a token that you know."
        raise Misuse(Fault("NO_LEASE_TOKEN", message, hint=hint))
    return token


def _remember(session: Session, key: Key, record: dict[str, Any]) -> None:
    """A lease whose token is lost would only run out, so failing to keep it is told, with the token."""
    try:
        own_leases().remember(key, record["lease_token"], record["lease_expires_at"])
    except OSError as error:
        token = record["lease_token"]
        session.note(f"The lease token {token} could not be kept: {error}. Give it to --lease-token.")
