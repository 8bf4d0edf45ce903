"""`batonpass process`: what it waits for, and how it ends."""

import time
from typing import Any

import grpc
import pytest
from batonpass.cli import process as module
from batonpass.cli.output import Record
from batonpass.queue.v1 import queue_service_pb2, task_pb2
from batonpass.scheduler.v1 import schedule_service_pb2
from google.protobuf.message import Message

from tests.support.fake_services import HANG, FakeServices, Refusal
from tests.unit.cli import making
from tests.unit.cli.conftest import CommandLine

LATE = Refusal(grpc.StatusCode.DEADLINE_EXCEEDED, "too late", reason="DEADLINE")
BEGIN = queue_service_pb2.AwaitTasksResponse(remaining=2)


def ended(task_id: str, state: str, remaining: int, **fields: Any) -> queue_service_pb2.AwaitTasksResponse:
    task = making.task(task_id, state=state, **fields)
    return queue_service_pb2.AwaitTasksResponse(remaining=remaining, task=task)


def test_it_waits_for_the_scheduler_then_for_the_queue(
    services: FakeServices, batonpass: CommandLine
) -> None:
    services.stream("AwaitTasks", [BEGIN, ended("a", "SUCCEEDED", 1), ended("b", "SUCCEEDED", 0)])
    lines = batonpass("process").stdout.splitlines()
    assert [call.method for call in services.calls] == ["AwaitHandover", "AwaitTasks"]
    assert ["a" in lines[0], "b" in lines[1], lines[2]] == [True, True, "All is done: 2 succeeded."]
    assert all(50 < (call.timeout or 0) < 60.5 for call in services.calls)


def test_nothing_due_is_done_at_once(services: FakeServices, batonpass: CommandLine) -> None:
    services.stream("AwaitTasks", [queue_service_pb2.AwaitTasksResponse(remaining=0)])
    assert batonpass("process").stdout == "Nothing was due.\n"


def test_a_task_that_failed_for_good_makes_it_fail(services: FakeServices, batonpass: CommandLine) -> None:
    dead = ended("b", "DEAD", 0, error="exit code 3\nmore", attempt=5)
    services.stream("AwaitTasks", [BEGIN, ended("a", "SUCCEEDED", 1), dead])
    result = batonpass("process", expect=1)
    assert "DEAD" in result.stdout
    assert "- exit code 3\n" in result.stdout
    assert "1 succeeded, 1 dead" in result.stdout


def test_json_is_one_document(services: FakeServices, batonpass: CommandLine) -> None:
    services.stream("AwaitTasks", [BEGIN, ended("a", "SUCCEEDED", 1), ended("b", "DEAD", 0)])
    record = batonpass.json("process", "--queue", "q", expect=1)
    assert [record[name] for name in ("awaited", "succeeded", "failed", "remaining")] == [2, 1, 1, 0]
    assert [task["status"] for task in record["tasks"]] == ["completed", "failed"]
    assert services.request("AwaitTasks").queue == "q"


def test_when_the_time_is_up_it_says_what_is_open_and_why(
    services: FakeServices, batonpass: CommandLine
) -> None:
    services.stream("AwaitTasks", [BEGIN, ended("a", "SUCCEEDED", 1), HANG])
    services.answer("ListTasks", open_tasks)
    services.answer("GetScheduleStats", schedule_service_pb2.GetScheduleStatsResponse(pending_fires=3))
    started = time.monotonic()
    result = batonpass("process", "--timeout", "300ms", expect=1)
    assert time.monotonic() - started < 10
    head, *reasons = result.stdout.splitlines()[1:]
    assert head == "Time is up after 300ms (1 succeeded); still open:"
    assert reasons == [
        "  3 fires wait for the queue's verdict",
        "  slow runs on host-7 since 2026-03-01T12:00:00Z",
        "  large waits: cpu: 60 of 80 %",
        "  again waits for attempt 2 at 2026-03-01T12:00:00Z",
    ]


def open_tasks(request: queue_service_pb2.ListTasksRequest) -> Message:
    """One of each state, and beside them two that are not waited for: without handler, and not due."""
    handled: dict[str, Any] = {"template": making.template(handler="h", priority=9)}
    later = making.at(making.NOON.replace(year=9000))
    by_state = {
        task_pb2.TASK_STATE_RUNNING: [
            making.task("slow", "RUNNING", executor="host-7", start_time=making.at(making.NOON), **handled)
        ],
        task_pb2.TASK_STATE_WAITING: [
            making.task("large", waiting_reason="cpu: 60 of 80 %", **handled),
            making.task("pulled"),
        ],
        task_pb2.TASK_STATE_SCHEDULED: [
            making.task("again", "SCHEDULED", attempt=2, **handled),
            making.task("later", "SCHEDULED", run_time=later, **handled),
        ],
    }
    return queue_service_pb2.ListTasksResponse(tasks=by_state.get(request.state, []))


def test_a_handover_that_takes_too_long_is_told_the_same_way(
    services: FakeServices, batonpass: CommandLine
) -> None:
    services.answer(
        "AwaitHandover", Refusal(grpc.StatusCode.DEADLINE_EXCEEDED, "too late", reason="DEADLINE")
    )
    services.answer("GetScheduleStats", schedule_service_pb2.GetScheduleStatsResponse(pending_fires=3))
    record = batonpass.json("process", expect=1)
    assert (record["unsettled_fires"], record["tasks"]) == (3, [])
    assert services.requests("AwaitTasks") == []


def test_fires_that_wait_for_a_queue_that_is_away_are_told(
    services: FakeServices, batonpass: CommandLine
) -> None:
    services.answer("AwaitHandover", Refusal(grpc.StatusCode.DEADLINE_EXCEEDED, "too late"))
    services.answer("GetScheduleStats", schedule_service_pb2.GetScheduleStatsResponse(pending_fires=3))
    services.answer("ListTasks", Refusal(grpc.StatusCode.UNAVAILABLE, "connection refused"))
    result = batonpass("process", expect=1)
    assert "3 fires wait for the queue's verdict" in result.stdout
    assert "the queue service" in result.stderr


def test_a_queue_that_goes_away_is_a_failure(services: FakeServices, batonpass: CommandLine) -> None:
    services.stream("AwaitTasks", [BEGIN, Refusal(grpc.StatusCode.UNAVAILABLE, "stopping")])
    result = batonpass("process", expect=1)
    assert "the queue service" in result.stderr


def test_a_wait_of_no_time_with_nothing_due_is_done(services: FakeServices, batonpass: CommandLine) -> None:
    services.answer("AwaitHandover", LATE)
    assert batonpass("process", "--timeout", "0s").stdout == "Nothing was due.\n"


def test_a_schedule_that_is_due_and_has_not_fired_is_open(
    services: FakeServices, batonpass: CommandLine
) -> None:
    services.answer("AwaitHandover", LATE)
    due = schedule_service_pb2.GetScheduleStatsResponse(
        next_fire_time=making.at(making.NOON.replace(year=2000))
    )
    services.answer("GetScheduleStats", due)
    assert batonpass.json("process", "--timeout", "0s", expect=1)["unsettled_fires"] == 1


def test_tasks_that_ended_unseen_are_not_called_done(services: FakeServices, batonpass: CommandLine) -> None:
    services.stream("AwaitTasks", [BEGIN, ended("a", "SUCCEEDED", 1), LATE])
    assert "nothing is known to be open" in batonpass("process", expect=1).stdout


def test_ctrl_c_says_what_has_ended_and_what_is_open(
    services: FakeServices, batonpass: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.stream("AwaitTasks", [BEGIN, ended("a", "SUCCEEDED", 1), HANG])
    services.answer("ListTasks", open_tasks)
    end = module.Wait._end

    def interrupted(wait: module.Wait, task: Record) -> None:
        end(wait, task)
        raise KeyboardInterrupt

    monkeypatch.setattr(module.Wait, "_end", interrupted)
    result = batonpass("process", expect=130)
    assert "Interrupted (1 succeeded); still open:" in result.stdout
    assert "large waits: cpu: 60 of 80 %" in result.stdout


def test_it_says_early_what_nobody_can_run(
    services: FakeServices, batonpass: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.0)
    handled = making.template(handler="name:x")
    alone = making.task("alone", waiting_reason="no connected executor has registered 'x'", template=handled)
    large = making.task("large", waiting_reason="cpu: 60 of 80 %", template=handled)
    services.answer("ListTasks", queue_service_pb2.ListTasksResponse(tasks=[alone, large]))
    services.stream("AwaitTasks", [BEGIN, HANG])
    result = batonpass("process", "--timeout", "1s", expect=1)
    assert result.stderr.splitlines() == [
        "Nobody can run these for now:",
        "  alone waits: no connected executor has registered 'x'",
    ]
