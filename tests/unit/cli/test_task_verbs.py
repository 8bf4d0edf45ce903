"""`batonpass task`: what each verb asks and shows, and the memory for leases."""

import stat
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
from batonpass.queue.v1 import pull_service_pb2, queue_service_pb2, task_pb2

from tests.support.fake_services import FakeServices, Refusal
from tests.unit.cli import making
from tests.unit.cli.conftest import CommandLine

STALE = Refusal(grpc.StatusCode.FAILED_PRECONDITION, "the lease is over", reason="STALE_LEASE")


def leased(token: int) -> pull_service_pb2.LeaseTaskResponse:
    return pull_service_pb2.LeaseTaskResponse(
        task=making.task(state="RUNNING"), lease_token=token, lease_expire_time=making.at(making.NOON)
    )


def completed(state: str) -> pull_service_pb2.CompleteTaskResponse:
    return pull_service_pb2.CompleteTaskResponse(task=making.task(state=state, attempt=2))


def test_enqueue_without_a_handler_is_for_pull_clients(
    services: FakeServices, batonpass: CommandLine
) -> None:
    services.answer("EnqueueTask", queue_service_pb2.EnqueueTaskResponse(task=making.task(), created=True))
    record = batonpass.json(
        "task", "enqueue", "inventory", "--priority", "9", "--cpu", "10", "--memory", "15"
    )
    assert services.request("EnqueueTask") == queue_service_pb2.EnqueueTaskRequest(
        task_id="inventory",
        template=task_pb2.TaskTemplate(
            priority=9, resources=task_pb2.Resources(cpu_percent=10, memory_percent=15)
        ),
    )
    assert (record["task_id"], record["status"], record["created"]) == ("inventory", "queued", True)


def test_enqueue_of_nothing_but_an_id_has_a_template(services: FakeServices, batonpass: CommandLine) -> None:
    batonpass("task", "enqueue", "bare")
    assert services.request("EnqueueTask").HasField("template")


def test_enqueue_takes_payload_time_and_queue(
    services: FakeServices, batonpass: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "input.json").write_text('{"image": 17}')
    batonpass(
        *("task", "enqueue", "t", "--handler", "name:resize", "--payload", f"@{tmp_path}/input.json"),
        *("--name", "Resize", "--queue", "images", "--run-at", "2027-01-01T00:00:00Z", "--timeout", "1m"),
        *("--retry-policy", "none"),
    )
    request = services.request("EnqueueTask")
    assert (request.template.handler, request.template.payload) == ("name:resize", b'{"image": 17}')
    assert (request.template.name, request.template.queue) == ("Resize", "images")
    assert request.template.timeout.ToTimedelta() == timedelta(minutes=1)
    assert request.run_time.ToJsonString() == "2027-01-01T00:00:00Z"


def test_enqueue_says_when_the_task_was_known(services: FakeServices, batonpass: CommandLine) -> None:
    known = queue_service_pb2.EnqueueTaskResponse(task=making.task(state="SUCCEEDED"), created=False)
    services.answer("EnqueueTask", known)
    assert "had been enqueued before; it is SUCCEEDED" in batonpass("task", "enqueue", "inventory").stdout


def test_a_delay_and_a_time_exclude_each_other(services: FakeServices, batonpass: CommandLine) -> None:
    batonpass("task", "enqueue", "t", "--delay", "10m")
    assert services.request("EnqueueTask").HasField("run_time")
    result = batonpass("task", "enqueue", "t", "--delay", "10m", "--run-at", "+5m", expect=2)
    assert "exclude each other" in result.stderr


def test_next_shows_what_would_start_and_what_is_held_back(
    services: FakeServices, batonpass: CommandLine
) -> None:
    services.answer(
        "PeekTasks",
        pull_service_pb2.PeekTasksResponse(
            next=making.task("small"),
            executor="host-7",
            blocked=[making.task("large", waiting_reason="cpu: 60 of 80 %")],
        ),
    )
    record = batonpass.json("task", "next")
    assert (record["next"]["task_id"], record["executor"]) == ("small", "host-7")
    assert record["blocked"][0]["waiting_reason"] == "cpu: 60 of 80 %"
    text = batonpass("task", "next", "--blocked", "3", "--executor", "me").stdout
    assert "Next: small (priority 9 critical) on host-7." in text
    assert "cpu 10 % memory 15 %" in text
    request = services.requests("PeekTasks")[-1]
    assert (request.limit, request.executor, request.queue) == (3, "me", "")


def test_next_of_an_empty_queue(batonpass: CommandLine) -> None:
    assert batonpass.json("task", "next") == {"next": None, "executor": None, "blocked": []}
    assert batonpass("task", "next").stdout == "Nothing can start now.\n"


def test_execute_remembers_the_token_for_complete(
    services: FakeServices, batonpass: CommandLine, tmp_path: Path
) -> None:
    services.answer("LeaseTask", leased(41))
    services.answer("CompleteTask", completed("SUCCEEDED"))
    record = batonpass.json("task", "execute", "inventory")
    assert (record["status"], record["lease_token"]) == ("executing", 41)
    lease = services.request("LeaseTask")
    assert (lease.task_id, lease.executor) == ("inventory", "operator")
    assert lease.lease_duration.ToTimedelta() == timedelta(minutes=10)
    (file,) = (tmp_path / "leases").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    done = batonpass.json("task", "complete", "inventory", "--exit-code", "0", "--cpu", "5", "--memory", "8")
    assert done["status"] == "completed"
    assert services.request("CompleteTask") == pull_service_pb2.CompleteTaskRequest(
        task_id="inventory",
        lease_token=41,
        report=task_pb2.AttemptReport(exit_code=0, cpu_percent=5, memory_percent=8),
    )
    assert list((tmp_path / "leases").iterdir()) == [], "the lease is over"


def test_complete_without_a_lease_says_what_to_do(services: FakeServices, batonpass: CommandLine) -> None:
    error = batonpass.error("task", "complete", "inventory", "--exit-code", "0", expect=2)
    assert error["code"] == "NO_LEASE_TOKEN"
    assert "task execute inventory" in error["hint"]
    assert "--lease-token" in error["hint"]
    assert services.calls == []


def test_tokens_are_kept_apart_by_namespace_and_queue(services: FakeServices, batonpass: CommandLine) -> None:
    services.answer("LeaseTask", leased(1), leased(2), leased(3))
    services.answer("CompleteTask", completed("SUCCEEDED"))
    places = ((), ("--queue", "images"), ("--namespace", "team-b"))
    for place in places:
        batonpass("task", "execute", "t", *place)
    for place in places:
        batonpass("task", "complete", "t", "--exit-code", "0", *place)
    assert [request.lease_token for request in services.requests("CompleteTask")] == [1, 2, 3]


def test_the_default_queue_may_be_named(services: FakeServices, batonpass: CommandLine) -> None:
    services.answer("LeaseTask", leased(5))
    batonpass("task", "execute", "t", "--queue", "default")
    batonpass("task", "complete", "t", "--exit-code", "0")
    assert services.request("CompleteTask").lease_token == 5


def test_a_given_token_overrides(services: FakeServices, batonpass: CommandLine) -> None:
    services.answer("LeaseTask", leased(41))
    batonpass("task", "execute", "inventory")
    batonpass("task", "complete", "inventory", "--exit-code", "0", "--lease-token", "7")
    assert services.request("CompleteTask").lease_token == 7


def test_a_stale_lease_is_forgotten(services: FakeServices, batonpass: CommandLine) -> None:
    services.answer("LeaseTask", leased(41))
    services.answer("CompleteTask", STALE)
    batonpass("task", "execute", "inventory")
    error = batonpass.error("task", "complete", "inventory", "--exit-code", "0")
    assert error["reason"] == "STALE_LEASE"
    assert "stop the work" in error["hint"]
    error = batonpass.error("task", "complete", "inventory", "--exit-code", "0", expect=2)
    assert error["code"] == "NO_LEASE_TOKEN"


def test_a_token_survives_a_service_that_is_away(services: FakeServices, batonpass: CommandLine) -> None:
    services.answer("LeaseTask", leased(41))
    services.answer(
        "CompleteTask", Refusal(grpc.StatusCode.UNAVAILABLE, "no database", reason="DATABASE_UNAVAILABLE")
    )
    batonpass("task", "execute", "inventory")
    batonpass("task", "complete", "inventory", "--exit-code", "0", expect=1)
    services.answer("CompleteTask", completed("SUCCEEDED"))
    batonpass("task", "complete", "inventory", "--exit-code", "0")


def test_a_failed_attempt_says_what_follows(services: FakeServices, batonpass: CommandLine) -> None:
    services.answer("CompleteTask", completed("SCHEDULED"), completed("DEAD"))
    words = ("task", "complete", "inventory", "--exit-code", "-9", "--lease-token", "7", "--error", "killed")
    assert "attempt 2 may run at 2026-03-01T12:00:00Z" in batonpass(*words).stdout
    assert "failed for good" in batonpass(*words).stdout
    report = services.requests("CompleteTask")[0].report
    assert (report.exit_code, report.error, report.HasField("cpu_percent")) == (-9, "killed", False)


def test_complete_sends_the_end_of_the_output(
    services: FakeServices, batonpass: CommandLine, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"\xff" * 30_000 + b"the end")
    batonpass("task", "complete", "t", "--exit-code", "0", "--lease-token", "7", "--output-file", str(log))
    tail = services.request("CompleteTask").report.output_tail
    assert tail.endswith("the end")
    assert len(tail.encode()) <= 16_384


def test_extend_moves_the_end_of_the_remembered_lease(services: FakeServices, batonpass: CommandLine) -> None:
    services.answer("LeaseTask", leased(41))
    services.answer(
        "ExtendLease", pull_service_pb2.ExtendLeaseResponse(lease_expire_time=making.at(making.NOON))
    )
    batonpass("task", "execute", "inventory", "--lease", "1h", "--executor", "kim")
    record = batonpass.json("task", "extend", "inventory", "--lease", "2h")
    assert record == {"task_id": "inventory", "lease_token": 41, "lease_expires_at": "2026-03-01T12:00:00Z"}
    assert services.request("ExtendLease").lease_duration.ToTimedelta() == timedelta(hours=2)
    assert services.request("LeaseTask").executor == "kim"


def test_get_shows_attempts_and_the_end_of_the_output(services: FakeServices, batonpass: CommandLine) -> None:
    dead = making.task(
        state="DEAD",
        attempts=[making.attempt(1), making.attempt(2)],
        template=making.template(payload=b'{"n": 1}'),
    )
    services.answer("GetTask", queue_service_pb2.GetTaskResponse(task=dead))
    record = batonpass.json("task", "get", "inventory")
    assert (record["payload"], len(record["attempts"]), record["exit_code"]) == ({"n": 1}, 2, 3)
    text = batonpass("task", "get", "inventory", "--queue", "images").stdout
    assert "no such file" in text
    assert "EXIT" in text
    assert services.requests("GetTask")[-1].queue == "images"


def test_get_shows_the_payload_as_it_is(services: FakeServices, batonpass: CommandLine) -> None:
    given = making.task(template=making.template(payload=b'{"fail": true, "who": "\xc3\xb6"}'))
    services.answer("GetTask", queue_service_pb2.GetTaskResponse(task=given))
    assert '{"fail": true, "who": "ö"}' in batonpass("task", "get", "inventory").stdout


def test_list_filters(services: FakeServices, batonpass: CommandLine) -> None:
    services.answer(
        "ListTasks", queue_service_pb2.ListTasksResponse(tasks=[making.task("a"), making.task("b")])
    )
    listed = batonpass.json("task", "list", "--state", "waiting", "--schedule", "s", "--queue", "q")
    assert [one["task_id"] for one in listed["tasks"]] == ["a", "b"]
    assert "attempts" not in listed["tasks"][0]
    request = services.request("ListTasks")
    assert (request.state, request.schedule_id, request.queue) == (task_pb2.TASK_STATE_WAITING, "s", "q")
    assert "WAITING" in batonpass("task", "list").stdout


def test_list_knows_the_states(batonpass: CommandLine) -> None:
    assert "scheduled, waiting, offered" in batonpass("task", "list", "--state", "sleepy", expect=2).stderr


@pytest.mark.parametrize(
    ("task", "said"),
    [
        (making.task(state="CANCELLED"), "Cancelled inventory."),
        (making.task(state="RUNNING", executor="host-7"), "Asked host-7 to stop inventory."),
    ],
)
def test_cancel_says_whether_it_has_ended(
    services: FakeServices, batonpass: CommandLine, task: task_pb2.Task, said: str
) -> None:
    services.answer("CancelTask", queue_service_pb2.CancelTaskResponse(task=task))
    assert said in batonpass("task", "cancel", "inventory", "--reason", "not needed").stdout
    assert services.request("CancelTask").reason == "not needed"


def test_reprioritize_leaves_the_range_to_the_service(services: FakeServices, batonpass: CommandLine) -> None:
    services.answer("ReprioritizeTask", queue_service_pb2.ReprioritizeTaskResponse(task=making.task()))
    assert "priority 9 (critical)" in batonpass("task", "reprioritize", "inventory", "9").stdout
    services.answer(
        "ReprioritizeTask",
        Refusal(
            grpc.StatusCode.INVALID_ARGUMENT,
            "priority: must be at most 10",
            reason="INVALID_ARGUMENT",
            violations=[("priority", "must be at most 10")],
        ),
    )
    error = batonpass.error("task", "reprioritize", "inventory", "11")
    assert error["violations"] == [{"field": "priority", "description": "must be at most 10"}]
    assert services.requests("ReprioritizeTask")[-1].priority == 11
