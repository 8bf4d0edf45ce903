"""Messages as records: the original's fields are always there."""

from datetime import timedelta

import pytest
from batonpass.cli.records import fire, queue, schedule, task, template, values
from batonpass.queue.v1 import executor_pb2, pull_service_pb2, queue_service_pb2, task_pb2
from batonpass.scheduler.v1 import event_service_pb2, schedule_pb2, schedule_service_pb2

from tests.unit.cli import making

SCHEDULE_FIELDS = [
    "task_id",
    "task_name",
    "handler",
    "schedule_type",
    "schedule_expr",
    "priority",
    "enabled",
    "created_at",
    "last_executed",
    "next_execution",
    "execution_count",
    "failure_count",
    "average_duration_ms",
    "circuit_breaker",
    "retry_policy",
]
TASK_FIELDS = [
    "task_id",
    "priority",
    "enqueued_at",
    "estimated_cpu_percent",
    "estimated_memory_percent",
    "status",
    "attempt",
]


@pytest.mark.parametrize("message", [making.schedule(), schedule_pb2.Schedule(schedule_id="bare")])
def test_a_schedule_has_every_field_of_the_original_first(message: schedule_pb2.Schedule) -> None:
    assert list(schedule.record(message))[: len(SCHEDULE_FIELDS)] == SCHEDULE_FIELDS


@pytest.mark.parametrize("message", [making.task(), task_pb2.Task(task_id="bare")])
def test_a_task_has_every_field_of_the_original_first(message: task_pb2.Task) -> None:
    assert list(task.record(message))[: len(TASK_FIELDS)] == TASK_FIELDS
    assert list(task.whole(message))[: len(TASK_FIELDS)] == TASK_FIELDS


def test_a_schedule_that_has_run_reads_like_the_original() -> None:
    record = schedule.record(making.schedule())
    assert {name: record[name] for name in SCHEDULE_FIELDS} == {
        "task_id": "backup-daily",
        "task_name": "Daily Backup",
        "handler": "./backup.sh",
        "schedule_type": "cron",
        "schedule_expr": "0 2 * * *",
        "priority": 8,
        "enabled": True,
        "created_at": "2026-03-01T12:00:00Z",
        "last_executed": "2026-03-01T02:00:00Z",
        "next_execution": "2026-03-02T02:00:00Z",
        "execution_count": 5,
        "failure_count": 0,
        "average_duration_ms": 1250,
        "circuit_breaker": "default",
        "retry_policy": "standard",
    }


def test_a_schedule_carries_our_fields_too() -> None:
    record = schedule.record(making.schedule(note="disk replaced", note_actor="kim"))
    assert record["schedule_id"] == "backup-daily"
    assert (record["state"], record["band"], record["time_zone"]) == ("ENABLED", "important", "UTC")
    assert (record["overlap_policy"], record["catch_up_policy"]) == ("SKIP", "LATEST")
    assert (record["catchup_window"], record["timeout"]) == ("1h", "1h")
    assert (record["cpu_percent"], record["memory_percent"]) == (10, 15)
    assert (record["note"], record["note_actor"], record["invalid_reason"]) == ("disk replaced", "kim", None)


def test_a_new_schedule_is_null_where_nothing_has_happened() -> None:
    new = making.schedule(stats=schedule_pb2.ScheduleStats(), next_fire_time=None)
    record = schedule.record(new)
    assert record["last_executed"] is record["next_execution"] is record["average_duration_ms"] is None
    assert record["execution_count"] == record["failure_count"] == 0


@pytest.mark.parametrize(
    ("spec", "kind", "expression"),
    [
        (schedule_pb2.ScheduleSpec(cron=schedule_pb2.CronSpec(expression="@daily")), "cron", "@daily"),
        (
            schedule_pb2.ScheduleSpec(
                interval=schedule_pb2.IntervalSpec(every=making.length(timedelta(seconds=5)))
            ),
            "interval",
            "5s",
        ),
        (
            schedule_pb2.ScheduleSpec(one_shot=schedule_pb2.OneShotSpec(time=making.at(making.NOON))),
            "once",
            "2026-03-01T12:00:00Z",
        ),
        (
            schedule_pb2.ScheduleSpec(event=schedule_pb2.EventSpec(type="webhook.received")),
            "event",
            "webhook.received",
        ),
    ],
)
def test_each_kind_of_schedule_has_its_type_and_expression(
    spec: schedule_pb2.ScheduleSpec, kind: str, expression: str
) -> None:
    record = schedule.record(making.schedule(specs=[spec]))
    assert (record["schedule_type"], record["schedule_expr"]) == (kind, expression)


def test_the_state_of_a_schedule_says_disabled_and_invalid() -> None:
    assert schedule.record(making.schedule(disabled=True))["state"] == "DISABLED"
    assert schedule.record(making.schedule(disabled=True))["enabled"] is False
    assert schedule.record(making.schedule(invalid_reason="unknown zone"))["state"] == "INVALID"


def test_every_state_of_the_contract_has_a_status_of_the_original() -> None:
    states = [name.removeprefix("TASK_STATE_") for name in task_pb2.TaskState.keys()]  # noqa: SIM118
    assert set(task.STATUS) == set(states) - {"UNSPECIFIED"}
    assert set(task.STATUS.values()) == {"queued", "executing", "completed", "failed"}


def test_a_waiting_task_says_why() -> None:
    record = task.record(making.task(waiting_reason="cpu: 60 of 80 % in use", schedule_id="backup-daily"))
    assert (record["status"], record["state"], record["band"]) == ("queued", "WAITING", "critical")
    assert record["waiting_reason"] == "cpu: 60 of 80 % in use"
    assert record["schedule_id"] == "backup-daily"
    assert record["exit_code"] is record["actual_cpu_percent"] is record["duration_ms"] is None


def test_a_failed_task_shows_what_its_last_attempt_measured() -> None:
    dead = making.task(state="DEAD", attempts=[making.attempt(1), making.attempt(2)], attempt=2)
    record = task.whole(dead)
    assert (record["status"], record["exit_code"], record["duration_ms"]) == ("failed", 3, 1900)
    assert (record["actual_cpu_percent"], record["actual_memory_percent"]) == (4.5, 8)
    assert record["error"] == "exit code 3"
    assert [one["lease_token"] for one in record["attempts"]] == [41, 42]
    first = record["attempts"][0]
    assert (first["result"], first["category"], first["executor"]) == ("FAILED", "EXIT", "host-7")
    assert first["output_tail"] == "no such file\n"


@pytest.mark.parametrize("state", ["RUNNING", "SCHEDULED"])
def test_a_task_that_tries_again_shows_the_attempt_that_has_ended(state: str) -> None:
    running = task_pb2.Attempt(attempt=2, start_time=making.at(making.NOON))
    record = task.record(making.task(state=state, attempts=[making.attempt(1), running], attempt=2))
    assert (record["exit_code"], record["duration_ms"], record["error"]) == (3, 1900, "exit code 3")


def test_an_attempt_without_a_measured_duration_is_timed_by_the_queue() -> None:
    report = task_pb2.AttemptReport(exit_code=0)
    record = task.whole(making.task(state="SUCCEEDED", attempts=[making.attempt(1, report=report)]))
    assert record["duration_ms"] == record["attempts"][0]["duration_ms"] == 2000


def test_an_ended_task_without_attempts_is_timed_by_the_queue() -> None:
    ended = making.task(
        state="SUCCEEDED",
        start_time=making.at(making.NOON),
        end_time=making.at(making.NOON + timedelta(milliseconds=1500)),
    )
    assert task.record(ended)["duration_ms"] == 1500


def test_a_lost_attempt_has_no_measurements() -> None:
    lost = task_pb2.Attempt(attempt=1, result=task_pb2.ATTEMPT_RESULT_LOST)
    record = task.attempt(lost)
    assert (record["result"], record["exit_code"], record["duration_ms"]) == ("LOST", None, None)


def test_a_lease_carries_its_token() -> None:
    reply = pull_service_pb2.LeaseTaskResponse(
        task=making.task(state="RUNNING"), lease_token=7, lease_expire_time=making.at(making.NOON)
    )
    record = task.leased(reply)
    assert (record["status"], record["lease_token"]) == ("executing", 7)
    assert record["lease_expires_at"] == "2026-03-01T12:00:00Z"


def test_a_peek_without_a_next_task_is_null() -> None:
    reply = pull_service_pb2.PeekTasksResponse(blocked=[making.task(waiting_reason="4 of 4 tasks run")])
    record = task.peeked(reply)
    assert record["next"] is record["executor"] is None
    assert record["blocked"][0]["waiting_reason"] == "4 of 4 tasks run"


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"", None),
        (b'{"n": 1}', {"n": 1}),
        (b"plain text", "plain text"),
        (b"\xff\x00", {"base64": "/wA="}),
        (b"[" * 100_000, "[" * 100_000),
    ],
)
def test_a_payload_is_shown_as_what_it_holds(payload: bytes, expected: object) -> None:
    assert values.document(payload) == expected


@pytest.mark.parametrize(
    ("priority", "name"),
    [
        (1, "low"),
        (4, "low"),
        (5, "normal"),
        (6, "normal"),
        (7, "important"),
        (8, "important"),
        (9, "critical"),
        (10, "critical"),
    ],
)
def test_bands_are_those_of_the_original(priority: int, name: str) -> None:
    assert template.band(priority) == name


def test_a_value_of_a_newer_contract_is_shown_as_its_number() -> None:
    assert values.word(task_pb2.TaskState, 99, "TASK_STATE_") == "99"
    assert values.word(task_pb2.TaskState, 0, "TASK_STATE_") is None


def test_a_fire_says_what_became_of_it() -> None:
    record = fire.record(
        schedule_pb2.Fire(
            fire_id="backup-daily.20260301T020000Z.abc",
            schedule_id="backup-daily",
            kind=schedule_pb2.FIRE_KIND_TIME,
            nominal_time=making.at(making.NOON),
            local_time="2026-03-01T13:00:00",
            utc_offset="+01:00",
            disposition=schedule_pb2.DISPOSITION_SKIPPED_OVERLAP,
            detail="task t1 has not ended",
            count=1,
        )
    )
    assert (record["kind"], record["disposition"]) == ("TIME", "SKIPPED_OVERLAP")
    assert (record["local"], record["offset"]) == ("2026-03-01T13:00:00", "+01:00")
    assert (record["count"], record["last_nominal_at"], record["actor"]) == (1, None, None)


def test_a_range_too_long_to_count_has_no_count() -> None:
    assert fire.record(schedule_pb2.Fire(schedule_id="x"))["count"] is None


def test_an_event_shows_its_data() -> None:
    record = fire.event(event_service_pb2.Event(id="1", source="batonpass", type="x", data=b'{"n": 1}'))
    assert record == {
        "id": "1",
        "source": "batonpass",
        "type": "x",
        "subject": None,
        "time": None,
        "data": {"n": 1},
    }


def test_a_preview_is_time_local_and_offset() -> None:
    shown = schedule.previewed(
        schedule_service_pb2.PreviewedFire(
            time=making.at(making.NOON), local_time="2026-03-01T14:00:00", utc_offset="+02:00"
        )
    )
    assert {name: value for name, value in shown.items() if value is not None} == {
        "time": "2026-03-01T12:00:00Z",
        "local": "2026-03-01T14:00:00",
        "offset": "+02:00",
    }


def test_the_queue_status_holds_the_metric_of_the_original() -> None:
    reply = queue_service_pb2.GetQueueStatusResponse(
        counts=queue_service_pb2.TaskCounts(
            scheduled=1, waiting=2, offered=3, running=4, succeeded=5, dead=6, cancelled=7, expired=8
        ),
        ageing_threshold=making.length(timedelta(minutes=30)),
    )
    record = queue.status(reply, making.NOON)
    assert record["timestamp"] == "2026-03-01T12:00:00Z"
    assert [record[name] for name in ("queued", "executing", "completed", "failed")] == [6, 4, 5, 21]
    assert record["counts"]["offered"] == 3
    assert (record["oldest_wait_seconds"], record["ageing_threshold"]) == (None, "30m")


def test_an_executor_shows_limits_use_and_load() -> None:
    record = queue.executor(
        executor_pb2.Executor(
            name="host-7",
            state=executor_pb2.EXECUTOR_STATE_ONLINE,
            limits=executor_pb2.Limits(max_tasks=4, max_cpu_percent=80, max_memory_percent=85),
            use=executor_pb2.Use(tasks=1, cpu_percent=10, memory_percent=15),
            labels={"zone": "eu", "arch": "arm"},
        )
    )
    assert (record["name"], record["state"], record["load"]) == ("host-7", "ONLINE", None)
    assert record["limits"] == {"max_tasks": 4, "max_cpu_percent": 80, "max_memory_percent": 85}
    assert record["use"] == {"tasks": 1, "cpu_percent": 10, "memory_percent": 15}
    assert list(record["labels"]) == ["arch", "zone"]


def test_an_activity_is_one_flat_record() -> None:
    record = queue.activity(
        queue_service_pb2.Activity(
            time=making.at(making.NOON),
            kind=queue_service_pb2.ACTIVITY_KIND_ENDED,
            task_id="t1",
            state=task_pb2.TASK_STATE_SUCCEEDED,
        )
    )
    assert (record["kind"], record["state"], record["schedule_id"]) == ("ENDED", "SUCCEEDED", None)
