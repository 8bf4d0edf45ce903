"""Calls of a pull client: lease one task, hold the lease, report the end."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from batonpass.client.call import Call, Rpc, same
from batonpass.client.ids import uuid7
from batonpass.client.values import duration
from batonpass.queue.v1 import pull_service_pb2 as pb
from batonpass.queue.v1.task_pb2 import AttemptReport, Task

_SERVICE: Final = "/batonpass.queue.v1.PullService"
_PEEK: Final = Rpc("queue", f"{_SERVICE}/PeekTasks", pb.PeekTasksResponse)
_LEASE: Final = Rpc("queue", f"{_SERVICE}/LeaseTask", pb.LeaseTaskResponse)
_EXTEND: Final = Rpc("queue", f"{_SERVICE}/ExtendLease", pb.ExtendLeaseResponse)
_COMPLETE: Final = Rpc("queue", f"{_SERVICE}/CompleteTask", pb.CompleteTaskResponse)


def peek_tasks(
    *, queue: str = "", executor: str = "", limit: int | None = None
) -> Call[pb.PeekTasksResponse]:
    """Shows what would start next, and why the tasks before it would not. Leases nothing."""
    return Call(_PEEK, pb.PeekTasksRequest(queue=queue, executor=executor, limit=limit), same)


def lease_task(
    *,
    executor: str,
    task_id: str = "",
    queue: str = "",
    lease_duration: timedelta | None = None,
    handlers: Sequence[str] = (),
    request_id: str | None = None,
) -> Call[pb.LeaseTaskResponse]:
    """Leases the task named, or the first in order that `handlers` can run; by default for 10 min.

    Raises NotFound (reason `NO_TASK`) when there is nothing to lease, FailedPrecondition when the task is not
    waiting or does not fit now.
    """
    request = pb.LeaseTaskRequest(
        task_id=task_id,
        queue=queue,
        executor=executor,
        lease_duration=duration(lease_duration),
        handlers=handlers,
        request_id=request_id or uuid7(),
    )
    return Call(_LEASE, request, same)


def extend_lease(
    task_id: str, lease_token: int, *, queue: str = "", lease_duration: timedelta | None = None
) -> Call[pb.ExtendLeaseResponse]:
    """Moves the end of a lease to `lease_duration` from now. Raises StaleLease."""
    request = pb.ExtendLeaseRequest(
        task_id=task_id, queue=queue, lease_token=lease_token, lease_duration=duration(lease_duration)
    )
    return Call(_EXTEND, request, same)


def complete_task(
    task_id: str,
    lease_token: int,
    exit_code: int = 0,
    *,
    queue: str = "",
    cpu_percent: float | None = None,
    memory_percent: float | None = None,
    took: timedelta | None = None,
    output_tail: str = "",
    error: str = "",
) -> Call[Task]:
    """Reports the end of leased work: 0 is success, anything else a failed attempt. Raises StaleLease."""
    report = AttemptReport(
        exit_code=exit_code,
        cpu_percent=cpu_percent,
        memory_percent=memory_percent,
        duration=duration(took),
        output_tail=output_tail,
        error=error,
    )
    request = pb.CompleteTaskRequest(task_id=task_id, queue=queue, lease_token=lease_token, report=report)
    return Call(_COMPLETE, request, _task)


def _task(response: pb.CompleteTaskResponse) -> Task:
    return response.task
