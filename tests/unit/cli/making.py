"""Messages as the services would send them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from batonpass.queue.v1 import task_pb2
from batonpass.scheduler.v1 import schedule_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(instant: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(instant)
    return made


def length(span: timedelta) -> Duration:
    made = Duration()
    made.FromTimedelta(span)
    return made


def schedule(schedule_id: str = "backup-daily", **fields: Any) -> schedule_pb2.Schedule:
    """A cron schedule that has run; `fields` replace what it has."""
    usual = {
        "specs": [schedule_pb2.ScheduleSpec(cron=schedule_pb2.CronSpec(expression="0 2 * * *"))],
        "time_zone": "UTC",
        "template": template(name="Daily Backup", handler="./backup.sh", priority=8),
        "overlap_policy": task_pb2.OVERLAP_POLICY_SKIP,
        "catch_up_policy": schedule_pb2.CATCH_UP_POLICY_LATEST,
        "catchup_window": length(timedelta(hours=1)),
        "generation": 1,
        "create_time": at(NOON),
        "update_time": at(NOON),
        "next_fire_time": at(NOON + timedelta(hours=14)),
        "stats": schedule_pb2.ScheduleStats(
            execution_count=5,
            success_count=5,
            fire_count=5,
            average_duration=length(timedelta(milliseconds=1250)),
            last_execute_time=at(NOON - timedelta(hours=10)),
        ),
    }
    return schedule_pb2.Schedule(schedule_id=schedule_id, **{**usual, **fields})


def template(**fields: Any) -> task_pb2.TaskTemplate:
    usual = {
        "priority": 5,
        "resources": task_pb2.Resources(cpu_percent=10, memory_percent=15),
        "retry_policy": "standard",
        "circuit_breaker": "default",
        "timeout": length(timedelta(hours=1)),
        "queue": "default",
    }
    return task_pb2.TaskTemplate(**{**usual, **fields})


def task(task_id: str = "inventory", state: str = "WAITING", **fields: Any) -> task_pb2.Task:
    """A task in `state`; `fields` replace what it has."""
    usual = {
        "template": template(priority=9),
        "state": task_pb2.TaskState.Value(f"TASK_STATE_{state}"),
        "band": task_pb2.PRIORITY_BAND_CRITICAL,
        "effective_priority": 9,
        "attempt": 1,
        "chain": 1,
        "enqueue_time": at(NOON),
        "run_time": at(NOON),
    }
    return task_pb2.Task(task_id=task_id, **{**usual, **fields})


def attempt(number: int = 1, **fields: Any) -> task_pb2.Attempt:
    """An attempt that failed with exit code 3."""
    usual = {
        "chain": 1,
        "lease_token": 40 + number,
        "executor": "host-7",
        "offer_time": at(NOON),
        "start_time": at(NOON),
        "end_time": at(NOON + timedelta(seconds=2)),
        "result": task_pb2.ATTEMPT_RESULT_FAILED,
        "category": task_pb2.FAILURE_CATEGORY_EXIT,
        "report": task_pb2.AttemptReport(
            exit_code=3,
            cpu_percent=4.5,
            memory_percent=8,
            peak_memory_bytes=1024,
            duration=length(timedelta(milliseconds=1900)),
            output_tail="no such file\n",
            error="exit code 3",
        ),
    }
    return task_pb2.Attempt(attempt=number, **{**usual, **fields})
