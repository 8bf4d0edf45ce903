"""What the queue refuses; each class holds the facts, its text says what the caller can do.

ServiceError (service_kit.errors)
|- InvalidArgument     BadHandler
|- OutOfRange          CursorGone
|- NotFound            TaskNotFound, NoTask, ExecutorNotFound
|- AlreadyExists       TaskIdTaken
|- FailedPrecondition  TaskTooLarge, TaskEnded, TaskNotWaiting, OverLimit, StaleLease
`- ResourceExhausted   IntakeFull, WatchTooSlow
"""

from typing import Final

from queue_service.domain.limits import Limits, Need, percent
from queue_service.domain.states import State
from service_kit.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    OutOfRange,
    ResourceExhausted,
)

DEFAULT_QUEUE: Final = "default"


def _about(queue: str, task_id: str, **more: str) -> dict[str, str]:
    return {"task_id": task_id, "queue": queue, **more}


class BadField(InvalidArgument):
    """A field of the request breaks a rule that the proto's own rules cannot express."""

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}", violations=[(field, rule)])


class CursorGone(OutOfRange):
    """Outcomes after the cursor have left the history, or the cursor is from another database."""

    default_reason = "CURSOR_GONE"

    def __init__(self, why: str) -> None:
        super().__init__(
            f"{why}: start again with an empty cursor and `from_now`, and reconcile what was missed"
        )


class TaskNotFound(NotFound):
    """No such task in the namespace, live or in history."""

    default_reason = "TASK_NOT_FOUND"

    def __init__(self, queue: str, task_id: str) -> None:
        super().__init__(
            f"no task {task_id!r} in queue {queue!r}; ended tasks are kept for 30 days",
            metadata=_about(queue, task_id),
        )


class NoTask(NotFound):
    """Nothing that this client could lease waits right now."""

    default_reason = "NO_TASK"

    def __init__(self, executor: str) -> None:
        super().__init__(
            f"nothing waits that {executor!r} can run now; ask again later", metadata={"executor": executor}
        )


class ExecutorNotFound(NotFound):
    """No executor of that name has connected or leased yet."""

    default_reason = "EXECUTOR_NOT_FOUND"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"no executor {name!r}: it is known from its first connection or lease on",
            metadata={"executor": name},
        )


class TaskIdTaken(AlreadyExists):
    """The idempotency key was used for something else."""

    def __init__(self, queue: str, task_id: str, why: str = "was used before with a different body") -> None:
        super().__init__(
            f"task_id {task_id!r} {why}; choose another task_id, or repeat the same body",
            metadata=_about(queue, task_id),
        )


class TaskTooLarge(FailedPrecondition):
    """No executor's limits would ever let it start."""

    default_reason = "TASK_TOO_LARGE"

    def __init__(self, queue: str, task_id: str, need: Need, largest: Limits) -> None:
        found = [
            f"{name} {percent(wanted)} % is over the largest limit in force, {percent(limit)} %"
            for name, wanted, limit in (
                ("resources.cpu_percent", need.cpu, largest.max_cpu),
                ("resources.memory_percent", need.memory, largest.max_memory),
            )
            if wanted > limit
        ] or ["no single executor's limits allow its CPU and memory together"]
        super().__init__(
            f"{' and '.join(found)}; declare less, or raise the limit (UpdateLimits)",
            metadata=_about(
                queue,
                task_id,
                max_cpu_percent=str(percent(largest.max_cpu)),
                max_memory_percent=str(percent(largest.max_memory)),
            ),
        )


class TaskEnded(FailedPrecondition):
    """The task has ended already, otherwise than asked for."""

    default_reason = "TASK_ENDED"

    def __init__(self, queue: str, task_id: str, state: State) -> None:
        super().__init__(
            f"task {task_id!r} has ended {state.name}; nothing is left to stop",
            metadata=_about(queue, task_id, state=state.name),
        )


class TaskNotWaiting(FailedPrecondition):
    """Only a waiting task can be leased or moved."""

    default_reason = "TASK_NOT_WAITING"

    def __init__(self, queue: str, task_id: str, state: State, why: str = "") -> None:
        super().__init__(
            f"task {task_id!r} is {state.name}{why and ': ' + why};"
            " only a waiting task can be changed or leased",
            metadata=_about(queue, task_id, state=state.name),
        )


class OverLimit(FailedPrecondition):
    """The task does not fit into what the executor's limits leave free."""

    default_reason = "OVER_LIMIT"

    def __init__(self, queue: str, task_id: str, why: str) -> None:
        super().__init__(
            f"task {task_id!r} does not fit now: {why};"
            " wait until something ends, or raise the limit (UpdateLimits)",
            metadata=_about(queue, task_id),
        )


class StaleLease(FailedPrecondition):
    """The token is not the task's current one."""

    default_reason = "STALE_LEASE"

    def __init__(self, queue: str, task_id: str, token: int) -> None:
        super().__init__(
            f"lease {token} of task {task_id!r} is over; stop the work, its report changes nothing",
            metadata=_about(queue, task_id, lease_token=str(token)),
        )


class IntakeFull(ResourceExhausted):
    """More is waiting to be stored than the service keeps in memory."""

    default_reason = "INTAKE_FULL"

    def __init__(self, pending: int) -> None:
        super().__init__(
            f"{pending >> 20} MiB of tasks wait to be stored; nothing of this request was taken, repeat later"
        )


class WatchTooSlow(ResourceExhausted):
    """The watcher did not read as fast as things happened."""

    default_reason = "WATCH_TOO_SLOW"

    def __init__(self) -> None:
        super().__init__("more happened than this client read; watch again to go on from now")
