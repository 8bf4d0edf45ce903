"""Calls about tasks: enqueue, look at, change, end."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, Unpack

from batonpass.client.batches import batches
from batonpass.client.call import Call, Listed, Pages, Rpc
from batonpass.client.ids import uuid7
from batonpass.client.templates import Template, task_template
from batonpass.client.values import enum_number, timestamp
from batonpass.queue.v1 import queue_service_pb2 as pb
from batonpass.queue.v1.task_pb2 import Task, TaskState

_SERVICE: Final = "/batonpass.queue.v1.QueueService"
_ENQUEUE: Final = Rpc("queue", f"{_SERVICE}/EnqueueTask", pb.EnqueueTaskResponse)
_BATCH_ENQUEUE: Final = Rpc("queue", f"{_SERVICE}/BatchEnqueueTasks", pb.BatchEnqueueTasksResponse)
_GET: Final = Rpc("queue", f"{_SERVICE}/GetTask", pb.GetTaskResponse)
_LIST: Final = Rpc("queue", f"{_SERVICE}/ListTasks", pb.ListTasksResponse)
_CANCEL: Final = Rpc("queue", f"{_SERVICE}/CancelTask", pb.CancelTaskResponse)
_REPRIORITIZE: Final = Rpc("queue", f"{_SERVICE}/ReprioritizeTask", pb.ReprioritizeTaskResponse)

BATCH_ITEMS: Final = 1000


def new_task(
    handler: str = "",
    *,
    task_id: str | None = None,
    run_at: datetime | None = None,
    **template: Unpack[Template],
) -> pb.EnqueueTaskRequest:
    """A task to put into the queue.

    `handler` is `name:NAME` for a registered handler, an `http(s)://` URL, or a shell command; empty for a
    task that pull clients lease. `task_id` is the idempotency key, by default a new UUIDv7. `run_at` is the
    earliest start.
    """
    return pb.EnqueueTaskRequest(
        task_id=task_id or uuid7(),
        template=task_template(handler, template),
        run_time=timestamp("run_at", run_at),
    )


def enqueue(
    handler: str = "",
    *,
    task_id: str | None = None,
    run_at: datetime | None = None,
    **template: Unpack[Template],
) -> Call[Task]:
    """Puts one task into the queue and returns it, stored durably; arguments as in `new_task`.

    Safe to repeat: a known `task_id` with the same content returns the task there is. Where the difference
    matters, `enqueue_many` tells whether a task was created. Raises AlreadyExists for a known `task_id` with
    other content, FailedPrecondition for a task larger than every executor.
    """
    return Call(_ENQUEUE, new_task(handler, task_id=task_id, run_at=run_at, **template), _task)


def enqueue_many(tasks: Iterable[pb.EnqueueTaskRequest]) -> Sequence[Call[Sequence[pb.EnqueueVerdict]]]:
    """Puts any number of tasks into the queue, in as few calls as they fit; one verdict per task, in order.

    Each task is judged by itself: look at `refused_reason`, and at `created` for repeats. A task without id
    gets one here, so that a repeat is safe.
    """
    return [Call(_BATCH_ENQUEUE, _batch(some), _verdicts) for some in batches(tasks, BATCH_ITEMS)]


def get_task(task_id: str, *, queue: str = "") -> Call[Task]:
    """Returns one task with its attempts, also one that has ended. Raises NotFound."""
    return Call(_GET, pb.GetTaskRequest(task_id=task_id, queue=queue), _task)


def list_tasks(
    *, queue: str = "", state: int | str = 0, schedule_id: str = "", page_size: int = 0
) -> Pages[Task]:
    """Yields tasks, newest first, without payload and attempts; `state` is a word such as `waiting`."""
    number = enum_number("state", TaskState, "TASK_STATE", state)

    def page(token: str) -> Call[Listed[Task]]:
        request = pb.ListTasksRequest(
            queue=queue, state=number, schedule_id=schedule_id, page_size=page_size, page_token=token
        )
        return Call(_LIST, request, _listed)

    return Pages(page)


def cancel(task_id: str, *, queue: str = "", reason: str = "") -> Call[Task]:
    """Ends a task; one that runs is asked to stop first.

    Raises NotFound, or FailedPrecondition when it has ended.
    """
    return Call(_CANCEL, pb.CancelTaskRequest(task_id=task_id, queue=queue, reason=reason), _task)


def reprioritize(task_id: str, priority: int, *, queue: str = "") -> Call[Task]:
    """Changes the priority (1 to 10, 10 = most urgent) of a task that has not started."""
    request = pb.ReprioritizeTaskRequest(task_id=task_id, queue=queue, priority=priority)
    return Call(_REPRIORITIZE, request, _task)


def _batch(tasks: Iterable[pb.EnqueueTaskRequest]) -> pb.BatchEnqueueTasksRequest:
    batch = pb.BatchEnqueueTasksRequest(requests=tasks)
    for task in batch.requests:
        task.task_id = task.task_id or uuid7()
    return batch


def _task(
    response: pb.EnqueueTaskResponse
    | pb.GetTaskResponse
    | pb.CancelTaskResponse
    | pb.ReprioritizeTaskResponse,
) -> Task:
    return response.task


def _verdicts(response: pb.BatchEnqueueTasksResponse) -> Sequence[pb.EnqueueVerdict]:
    return response.verdicts


def _listed(response: pb.ListTasksResponse) -> Listed[Task]:
    return Listed(response.tasks, response.next_page_token)
