"""Why a task waits, in words, and the smallest thing that would change it."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from queue_service.domain.admission import Admit, Dimension, Refuse, fits
from queue_service.domain.executor import Executor
from queue_service.domain.handler import HandlerKind, parse_handler
from queue_service.domain.holds import Hold
from queue_service.domain.limits import fits_alone, percent
from queue_service.domain.states import State
from queue_service.domain.task import Task
from service_kit.durations import spelled


def waiting_reason(
    task: Task,
    executors: Sequence[Executor],
    now: datetime,
    *,
    hold: Hold | None = None,
    pull: Executor | None = None,
) -> str:
    """One sentence; empty when the task does not wait.

    `executors` are those of its namespace, `hold` the one that keeps it from starting now. Tasks without a
    handler are measured against `pull`, when it is given.
    """
    if task.state is State.SCHEDULED:
        return _not_due(task, now)
    if task.state is not State.WAITING:
        return ""
    if not task.ready:
        return f"another task of schedule {task.schedule_id!r} is before it; they run one after another"
    if hold is not None:
        return str(hold)
    handler = parse_handler(task.template.handler)
    if handler.kind is HandlerKind.PULL and pull is not None:
        return _no_room(task, [pull])
    if handler.kind is HandlerKind.PULL:
        return "it has no handler: a pull client has to lease it"
    able = [executor for executor in executors if executor.online and handler.key in executor.handler_keys]
    if not able:
        return f"no connected executor {_runs(handler.kind, handler.name)}"
    return _no_room(task, able)


def _not_due(task: Task, now: datetime) -> str:
    what = "its next attempt" if task.attempt > 1 else "its run time"
    return f"{what} is in {spelled(_rounded(task.run_at - now))}, at {task.run_at:%Y-%m-%dT%H:%M:%SZ}"


def _no_room(task: Task, able: Sequence[Executor]) -> str:
    need = task.template.need
    if not any(fits_alone(need, executor.limits) for executor in able):
        return (
            f"UNSCHEDULABLE: it declares CPU {percent(need.cpu)} % and memory {percent(need.memory)} %,"
            f" more than the limits of {_names(able)} allow; raise a limit (UpdateLimits)"
        )
    refusals = []
    for executor in able:
        match fits(executor.use, executor.limits, need):
            case Admit():
                return "tasks before it in order are served first"
            case Refuse() as refusal:
                refusals.append(refused(executor, refusal))
    more = [f"and {len(refusals) - 3} more executors"] if len(refusals) > 3 else []
    return "; ".join(refusals[:3] + more)


def refused(executor: Executor, refusal: Refuse) -> str:
    """Why one executor cannot take a task now."""
    match refusal.dimension:
        case Dimension.TASKS:
            return f"{executor.name} holds {executor.use.tasks} of at most {executor.limits.max_tasks} tasks"
        case Dimension.CPU | Dimension.MEMORY:
            return (
                f"{executor.name} has {percent(refusal.free)} % of {refusal.dimension.name} left"
                f" and it needs {percent(refusal.need)} %"
            )


def _runs(kind: HandlerKind, name: str) -> str:
    match kind:
        case HandlerKind.NAMED:
            return f"has registered the handler {name!r}"
        case HandlerKind.HTTP:
            return "calls HTTP handlers"
        case HandlerKind.SHELL | HandlerKind.PULL:
            return "allows shell commands"


def _names(executors: Sequence[Executor]) -> str:
    return ", ".join(executor.name for executor in executors[:3]) + (", ..." if len(executors) > 3 else "")


def _rounded(duration: timedelta) -> timedelta:
    return timedelta(seconds=round(duration.total_seconds()))
