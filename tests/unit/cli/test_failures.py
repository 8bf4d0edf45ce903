"""What goes wrong is told: what, by whom, which field and rule, what to do next. Never a traceback."""

import json
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
import yaml
from batonpass.cli.session import Session
from batonpass.queue.v1 import queue_service_pb2
from batonpass.scheduler.v1 import schedule_service_pb2

from tests.support.fake_services import FakeServices, Refusal
from tests.unit.cli import making
from tests.unit.cli.conftest import CommandLine

INVALID = Refusal(
    grpc.StatusCode.INVALID_ARGUMENT,
    "schedule.template.priority: must be at most 10 (and 1 more)",
    reason="INVALID_ARGUMENT",
    violations=[
        ("schedule.template.priority", "must be at most 10"),
        ("schedule.time_zone", "Mars/Olympus is no IANA zone"),
    ],
)


def test_broken_rules_are_told_with_field_and_rule(services: FakeServices, batonpass: CommandLine) -> None:
    services.answer("GetTask", INVALID)
    result = batonpass("task", "get", "t", expect=1)
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "Error: --priority: must be at most 10",
        "  --time-zone: Mars/Olympus is no IANA zone",
    ]


def test_errors_are_json_when_results_are(services: FakeServices, batonpass: CommandLine) -> None:
    services.answer("GetTask", INVALID)
    error = batonpass.error("task", "get", "t")
    assert (error["code"], error["reason"]) == ("INVALID_ARGUMENT", "INVALID_ARGUMENT")
    assert error["violations"][1] == {
        "field": "schedule.time_zone",
        "description": "Mars/Olympus is no IANA zone",
    }
    assert (error["service"], error["address"]) == ("queue", services.address)


@pytest.mark.parametrize("words", [("-o", "yaml"), ("--output=yaml",), ("-oyaml",)])
def test_errors_are_yaml_when_results_are(
    services: FakeServices, batonpass: CommandLine, words: tuple[str, ...]
) -> None:
    services.answer("GetTask", INVALID)
    assert (
        yaml.safe_load(batonpass("task", "get", "t", *words, expect=1).stderr)["error"]["service"] == "queue"
    )


def test_wrong_usage_is_json_too(batonpass: CommandLine) -> None:
    error = batonpass.error("task", "get", "--colour", "red", expect=2)
    assert error["code"] == "USAGE"
    assert "--colour" in error["message"]
    assert error["hint"] == "batonpass task get --help shows the options, with examples."


def test_a_service_that_is_away_is_named_with_its_address(
    services: FakeServices, batonpass: CommandLine
) -> None:
    services.stop()
    for words, name in ((("schedule", "list"), "scheduler"), (("task", "list"), "queue")):
        result = batonpass(*words, expect=1)
        assert f"the {name} service at {services.address} cannot be reached" in result.stderr
        assert f"python -m {name}_service" in result.stderr
        assert f"BATONPASS_{name.upper()}" in result.stderr


def test_a_service_without_its_database_is_told_apart(services: FakeServices, batonpass: CommandLine) -> None:
    away = Refusal(
        grpc.StatusCode.UNAVAILABLE,
        "the database does not answer",
        reason="DATABASE_UNAVAILABLE",
        retry_after=timedelta(seconds=1),
    )
    services.answer("GetTask", away)
    result = batonpass("task", "get", "t", expect=1)
    assert "the database does not answer" in result.stderr
    assert "after 1 s" in result.stderr
    assert "recovers by itself" in result.stderr


def test_a_service_that_does_not_answer_in_time(services: FakeServices, batonpass: CommandLine) -> None:
    services.answer("GetTask", Refusal(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded"))
    result = batonpass("task", "get", "t", expect=1)
    assert "did not answer in time" in result.stderr
    assert "--timeout" in result.stderr


def test_a_service_that_is_another_one(services: FakeServices, batonpass: CommandLine) -> None:
    services.answer("GetTask", Refusal(grpc.StatusCode.UNIMPLEMENTED, "Method not found!"))
    assert "does not know this call" in batonpass("task", "get", "t", expect=1).stderr


def test_what_is_missing_says_where_to_look_whatever_was_called(
    services: FakeServices, batonpass: CommandLine
) -> None:
    for reason, noun in (
        ("SCHEDULE_TEMPLATE_NOT_FOUND", "template"),
        ("CALENDAR_NOT_FOUND", "calendar"),
        ("BACKFILL_NOT_FOUND", "backfill"),
        ("EVENT_NOT_FOUND", "event"),
        ("SCHEDULE_NOT_FOUND", "schedule"),
    ):
        services.answer("GetSchedule", Refusal(grpc.StatusCode.NOT_FOUND, "there is none", reason=reason))
        hint = batonpass.error("schedule", "get", "s")["hint"]
        assert hint == f"batonpass {noun} list shows what there is."


def test_refusals_of_a_schedule_name_the_command_that_helps(
    services: FakeServices, batonpass: CommandLine
) -> None:
    for reason, words in (
        ("RUNS_USED_UP", "schedule update ID --max-runs N"),
        ("SCHEDULE_MADE_OF_TEMPLATE", "schedule update ID --clear template"),
    ):
        services.answer("EnableSchedule", Refusal(grpc.StatusCode.FAILED_PRECONDITION, "no", reason=reason))
        assert words in batonpass.error("schedule", "enable", "s")["hint"]


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        ("TASK_TOO_LARGE", "queue limits"),
        ("OVER_LIMIT", "queue status"),
        ("TASK_NOT_WAITING", "task get"),
        ("TASK_ENDED", "task get"),
        ("NO_TASK", "task next"),
    ],
)
def test_reasons_lead_to_the_next_step(
    services: FakeServices, batonpass: CommandLine, reason: str, hint: str
) -> None:
    services.answer("LeaseTask", Refusal(grpc.StatusCode.FAILED_PRECONDITION, "not now", reason=reason))
    assert hint in batonpass.error("task", "execute", "t")["hint"]


def test_without_an_address_it_says_how_to_give_one(
    batonpass: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BATONPASS_QUEUE")
    error = batonpass.error("task", "list", expect=2)
    assert error["code"] == "CONFIGURATION"
    assert "--queue-address" in error["hint"]


def test_addresses_come_from_flags_or_the_endpoints_file(
    services: FakeServices, batonpass: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("BATONPASS_QUEUE")
    batonpass("--queue-address", services.address, "task", "list")
    (tmp_path / "endpoints.json").write_text(json.dumps({"queue": services.address}))
    batonpass("task", "list")
    assert len(services.requests("ListTasks")) == 2


def test_plaintext_to_another_machine_is_refused(batonpass: CommandLine) -> None:
    result = batonpass("--queue-address", "queue.example.org:7070", "task", "list", expect=2)
    assert "needs TLS. Give --tls-ca" in result.stderr


@pytest.mark.parametrize("address", ["nonsense", ":7070", "host:port", "host:0", "ipv4:127.0.0.1"])
def test_an_address_without_host_and_port_is_wrong_usage(
    services: FakeServices, batonpass: CommandLine, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    assert "HOST:PORT" in batonpass("--queue-address", address, "task", "list", expect=2).stderr
    monkeypatch.setenv("BATONPASS_QUEUE", address)
    assert "write HOST:PORT" in batonpass("task", "list", expect=2).stderr
    assert services.calls == []


def test_files_of_tls_that_are_not_there_are_named(batonpass: CommandLine) -> None:
    result = batonpass("--tls-ca", "/nowhere/ca.pem", "task", "list", expect=2)
    assert "/nowhere/ca.pem" in result.stderr


def test_defects_are_one_line(batonpass: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(Session, "show", broken)
    result = batonpass("task", "list", expect=1)
    assert result.stderr.startswith("Error: unexpected ZeroDivisionError: by zero")
    assert "Traceback" not in result.stderr


def test_every_call_carries_caller_and_deadline(services: FakeServices, batonpass: CommandLine) -> None:
    batonpass("--namespace", "team-a", "--actor", "Kim Ö", "--timeout", "3s", "task", "list")
    call = services.call("ListTasks")
    assert call.metadata["batonpass-namespace"] == "team-a"
    assert call.metadata["batonpass-actor"] == "Kim %C3%96"
    assert 2 < (call.timeout or 0) < 3.5


def test_the_caller_may_stand_after_the_verb_or_in_the_environment(
    services: FakeServices, batonpass: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATONPASS_NAMESPACE", "team-b")
    monkeypatch.setenv("BATONPASS_OUTPUT", "json")
    json.loads(batonpass("task", "list", "--actor", "kim").stdout)
    metadata = services.call("ListTasks").metadata
    assert (metadata["batonpass-namespace"], metadata["batonpass-actor"]) == ("team-b", "kim")


def test_the_actor_is_the_user_by_default(
    services: FakeServices, batonpass: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "robin")
    batonpass("task", "list")
    assert services.call("ListTasks").metadata["batonpass-actor"] == "robin"


@pytest.mark.parametrize("form", ["table", "json", "yaml"])
def test_stats_show_one_service_when_the_other_is_away(
    services: FakeServices, batonpass: CommandLine, form: str
) -> None:
    services.answer("GetScheduleStats", schedule_service_pb2.GetScheduleStatsResponse(schedules=3))
    services.answer("GetQueueStatus", Refusal(grpc.StatusCode.UNAVAILABLE, "no database", reason="X"))
    result = batonpass("stats", "-o", form, expect=1)
    assert "schedules" in result.stdout
    assert "no database" in result.stderr


def test_stats_show_both_services(services: FakeServices, batonpass: CommandLine) -> None:
    services.answer("GetScheduleStats", schedule_service_pb2.GetScheduleStatsResponse(schedules=3, enabled=2))
    counts = queue_service_pb2.TaskCounts(waiting=4)
    threshold = making.length(timedelta(minutes=30))
    services.answer(
        "GetQueueStatus", queue_service_pb2.GetQueueStatusResponse(counts=counts, ageing_threshold=threshold)
    )
    record = batonpass.json("stats")
    assert (record["schedules"]["enabled"], record["queue"]["queued"]) == (2, 4)
    text = batonpass("stats").stdout
    assert "Schedules" in text
    assert "Queue" in text


def test_text_that_is_no_unicode_is_refused(batonpass: CommandLine) -> None:
    assert "UTF-8" in batonpass("task", "get", "caf\udce9", expect=2).stderr
