"""Tasks and their attempts."""

from typing import Final

from batonpass.cli.records import template
from batonpass.cli.records.values import Record, instant, milliseconds, optional, word
from batonpass.queue.v1.pull_service_pb2 import LeaseTaskResponse, PeekTasksResponse
from batonpass.queue.v1.task_pb2 import (
    Attempt,
    AttemptReport,
    AttemptResult,
    FailureCategory,
    PriorityBand,
    Task,
    TaskState,
)

STATUS: Final = {
    "SCHEDULED": "queued",
    "WAITING": "queued",
    "OFFERED": "queued",
    "RUNNING": "executing",
    "SUCCEEDED": "completed",
    "SKIPPED": "completed",
    "DEAD": "failed",
    "CANCELLED": "failed",
    "EXPIRED": "failed",
}
"""The original's word for each state."""


def record(task: Task) -> Record:
    """The original's queue entry, then ours."""
    return {**_original(task), **_place(task), **_times(task), **_outcome(task)}


def whole(task: Task) -> Record:
    """`record` with what only a look at one task shows: payload and attempts."""
    attempts = {"attempts": [attempt(one) for one in task.attempts]}
    return {**record(task), **template.payload(task.template), **attempts}


def state(task: Task) -> str | None:
    """Where it is in its life, in capitals."""
    return word(TaskState, task.state, "TASK_STATE_")


def _original(task: Task) -> Record:
    return {
        "task_id": task.task_id,
        "priority": template.priority(task.template),
        "enqueued_at": instant(task, "enqueue_time"),
        "estimated_cpu_percent": task.template.resources.cpu_percent,
        "estimated_memory_percent": task.template.resources.memory_percent,
        "status": STATUS.get(state(task) or ""),
        "attempt": task.attempt,
    }


def _place(task: Task) -> Record:
    band = word(PriorityBand, task.band, "PRIORITY_BAND_")
    return {
        "name": task.template.name or None,
        "schedule_id": task.schedule_id or None,
        "state": state(task),
        "band": band.lower() if band else template.band(template.priority(task.template)),
        "effective_priority": task.effective_priority,
        "boost": task.boost,
        "handler": task.template.handler or None,
        **template.settings(task.template),
        "executor": task.executor or None,
        "chain": task.chain,
        "waiting_reason": task.waiting_reason or None,
    }


def _times(task: Task) -> Record:
    return {
        "nominal_at": instant(task, "nominal_time"),
        "run_at": instant(task, "run_time"),
        "started_at": instant(task, "start_time"),
        "ended_at": instant(task, "end_time"),
    }


def _outcome(task: Task) -> Record:
    last = _last_ended(task)
    measured = _measured(last.report if last.HasField("report") else None)
    duration = _duration(last)
    return {
        **measured,
        "duration_ms": _between(task) if duration is None else duration,
        "error": task.error or last.report.error or None,
    }


def _last_ended(task: Task) -> Attempt:
    """Lists carry the last one only, a look at one task all of them and the one that runs."""
    ended = (one for one in reversed(task.attempts) if one.HasField("end_time") or one.result)
    return next(ended, Attempt())


def _measured(report: AttemptReport | None) -> Record:
    return {
        "exit_code": report.exit_code if report else None,
        "actual_cpu_percent": optional(report, "cpu_percent") if report else None,
        "actual_memory_percent": optional(report, "memory_percent") if report else None,
    }


def _duration(one: Attempt) -> int | None:
    """Of an attempt as its executor measured it, else as the queue saw it, in milliseconds."""
    measured = milliseconds(one.report, "duration")
    return _between(one) if measured is None else measured


def _between(timed: Attempt | Task) -> int | None:
    """From start to end in milliseconds; None without both."""
    if timed.HasField("start_time") and timed.HasField("end_time"):
        return (timed.end_time.ToMicroseconds() - timed.start_time.ToMicroseconds()) // 1000
    return None


def attempt(one: Attempt) -> Record:
    """One try of a task."""
    has_report = one.HasField("report")
    return {
        "attempt": one.attempt,
        "chain": one.chain,
        "lease_token": one.lease_token,
        "executor": one.executor or None,
        "offered_at": instant(one, "offer_time"),
        "started_at": instant(one, "start_time"),
        "ended_at": instant(one, "end_time"),
        "result": word(AttemptResult, one.result, "ATTEMPT_RESULT_"),
        "category": word(FailureCategory, one.category, "FAILURE_CATEGORY_"),
        **_measured(one.report if has_report else None),
        "peak_memory_bytes": one.report.peak_memory_bytes or None,
        "duration_ms": _duration(one),
        "output_tail": one.report.output_tail or None,
        "error": one.report.error or None,
    }


def leased(reply: LeaseTaskResponse) -> Record:
    """A task and the proof that it is ours to run."""
    return {
        **whole(reply.task),
        "lease_token": reply.lease_token,
        "lease_expires_at": instant(reply, "lease_expire_time"),
    }


def peeked(reply: PeekTasksResponse) -> Record:
    """What would start next, where, and what is in front of it."""
    return {
        "next": record(reply.next) if reply.HasField("next") else None,
        "executor": reply.executor or None,
        "blocked": [record(task) for task in reply.blocked],
    }
