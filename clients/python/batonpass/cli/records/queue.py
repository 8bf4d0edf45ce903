"""The queue as a whole: counts, limits, executors, starvation, activity."""

from datetime import datetime

from batonpass.cli import format
from batonpass.cli.records.values import Record, instant, seconds, span, word
from batonpass.queue.v1.executor_pb2 import Executor, ExecutorState, Limits
from batonpass.queue.v1.hold_pb2 import Hold
from batonpass.queue.v1.queue_service_pb2 import (
    Activity,
    ActivityKind,
    BoostedTask,
    ExecutorLimits,
    GetQueueStatusResponse,
    PreventStarvationResponse,
    TaskCounts,
)
from batonpass.queue.v1.task_pb2 import TaskState


def status(reply: GetQueueStatusResponse, now: datetime) -> Record:
    """The original's queue metric, then ours."""
    counts = reply.counts
    return {
        "timestamp": format.time(now),
        "queued": counts.scheduled + counts.waiting + counts.offered,
        "executing": counts.running,
        "completed": counts.succeeded,
        "failed": counts.dead + counts.cancelled + counts.expired,
        "counts": _counts(counts),
        "oldest_wait_seconds": seconds(reply, "oldest_wait"),
        "ageing_threshold": span(reply, "ageing_threshold"),
        "starving": reply.starving,
        "held": reply.held,
        "executors": [executor(one) for one in reply.executors],
    }


def _counts(counts: TaskCounts) -> Record:
    return {field.name: getattr(counts, field.name) for field in TaskCounts.DESCRIPTOR.fields}


def executor(one: Executor) -> Record:
    """An agent, or a pull client that has leased before."""
    load = {"cpu_percent": one.load.cpu_percent, "memory_percent": one.load.memory_percent}
    return {
        "name": one.name,
        "state": word(ExecutorState, one.state, "EXECUTOR_STATE_"),
        "limits": limits(one.limits),
        "use": {
            "tasks": one.use.tasks,
            "cpu_percent": one.use.cpu_percent,
            "memory_percent": one.use.memory_percent,
        },
        "load": load if one.HasField("load") else None,
        **_registered(one),
        "session_epoch": one.session_epoch or None,
        "seen_at": instant(one, "seen_time"),
    }


def _registered(one: Executor) -> Record:
    return {
        "labels": dict(sorted(one.labels.items())),
        "handlers": list(one.handlers),
        "allows_shell": one.allows_shell,
        "allows_http": one.allows_http,
        "cpu_count": one.cpu_count or None,
        "memory_bytes": one.memory_bytes or None,
        "version": one.version or None,
    }


def limits(most: Limits) -> Record:
    """Most that may run on one executor at a time."""
    return {
        "max_tasks": most.max_tasks,
        "max_cpu_percent": most.max_cpu_percent,
        "max_memory_percent": most.max_memory_percent,
    }


def all_limits(defaults: Limits, executors: list[ExecutorLimits]) -> Record:
    """The defaults, and the limits of single executors."""
    return {
        "defaults": limits(defaults),
        "executors": [{"executor": one.executor, **limits(one.limits)} for one in executors],
    }


def starvation(reply: PreventStarvationResponse) -> Record:
    """Tasks whose priority is above their own, longest waiting first."""
    return {"threshold": span(reply, "threshold"), "tasks": [_boosted(task) for task in reply.tasks]}


def _boosted(task: BoostedTask) -> Record:
    return {
        "task_id": task.task_id,
        "queue": task.queue,
        "priority": task.priority,
        "effective_priority": task.effective_priority,
        "waited_seconds": seconds(task, "waited"),
        "boosted_now": task.boosted_now,
    }


def hold(one: Hold) -> Record:
    """What a blackout keeps from starting, and when; null selects all."""
    return {
        "source": one.source,
        "from_at": instant(one, "from_time"),
        "until_at": instant(one, "until_time"),
        "queue": one.queue or None,
        "handler": one.handler or None,
        "allow_priority": one.allow_priority or None,
        "reason": one.reason or None,
    }


def activity(happened: Activity) -> Record:
    """One thing that happened to one task."""
    return {
        "time": instant(happened, "time"),
        "kind": word(ActivityKind, happened.kind, "ACTIVITY_KIND_"),
        "task_id": happened.task_id,
        "queue": happened.queue,
        "state": word(TaskState, happened.state, "TASK_STATE_"),
        "schedule_id": happened.schedule_id or None,
        "executor": happened.executor or None,
        "priority": happened.priority,
        "attempt": happened.attempt or None,
        "actor": happened.actor or None,
        "detail": happened.detail or None,
    }
