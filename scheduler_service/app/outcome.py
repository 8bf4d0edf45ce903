"""What one outcome means: an entry in the statistics, and perhaps an event."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from batonpass.queue.v1 import intake_service_pb2 as pb
from batonpass.queue.v1 import task_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from scheduler_service.domain.events import DEFAULT_SOURCE, ERROR_CRITICAL, TASK_COMPLETED, Event
from scheduler_service.store.outcomes import Ended

_TYPES: Final = {
    task_pb2.TASK_STATE_SUCCEEDED: TASK_COMPLETED,
    task_pb2.TASK_STATE_DEAD: ERROR_CRITICAL,
}


def ended_of(outcome: pb.Outcome) -> Ended:
    """For the statistics."""
    return Ended(
        namespace=outcome.namespace,
        task_id=outcome.task_id,
        schedule_id=outcome.schedule_id,
        chain=outcome.chain,
        failed=outcome.state == task_pb2.TASK_STATE_DEAD,
        succeeded=outcome.state == task_pb2.TASK_STATE_SUCCEEDED,
        duration=_duration(outcome),
        started_at=_instant(outcome.start_time) if outcome.HasField("start_time") else None,
    )


def event_of(outcome: pb.Outcome) -> Event | None:
    """`task.completed` or `error.critical`; None for a task that was cancelled or has expired."""
    kind = _TYPES.get(outcome.state)
    if kind is None:
        return None
    return Event(
        namespace=outcome.namespace,
        source=DEFAULT_SOURCE,
        event_id=f"{outcome.namespace}/{outcome.queue}/{outcome.task_id}/{outcome.chain}",
        type=kind,
        subject=outcome.task_id,
        time=_instant(outcome.end_time),
        data=json.dumps(_data(outcome), separators=(",", ":")).encode(),
        depth=outcome.trigger_depth + 1,
    )


def _data(outcome: pb.Outcome) -> dict[str, Any]:
    report = outcome.last_attempt.report
    return {
        "namespace": outcome.namespace,
        "queue": outcome.queue,
        "task_id": outcome.task_id,
        "chain": outcome.chain,
        "schedule_id": outcome.schedule_id or None,
        "state": task_pb2.TaskState.Name(outcome.state).removeprefix("TASK_STATE_"),
        "attempts": outcome.attempts,
        "handler": outcome.handler,
        "start_time": _text(outcome.start_time) if outcome.HasField("start_time") else None,
        "end_time": _text(outcome.end_time),
        "duration_ms": _duration(outcome) // timedelta(milliseconds=1),
        "exit_code": report.exit_code if outcome.HasField("last_attempt") else None,
        "error": report.error or None,
        "executor": outcome.last_attempt.executor or None,
    }


def _duration(outcome: pb.Outcome) -> timedelta:
    """As the executor measured it, else from start to end."""
    report = outcome.last_attempt.report
    if report.HasField("duration"):
        return report.duration.ToTimedelta()
    if not outcome.HasField("start_time"):
        return timedelta()
    return max(timedelta(), _instant(outcome.end_time) - _instant(outcome.start_time))


def _instant(stamp: Timestamp) -> datetime:
    return stamp.ToDatetime(tzinfo=UTC)


def _text(stamp: Timestamp) -> str:
    return _instant(stamp).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
