"""`schedule queue` and `event trigger` say what the queue made of what they caused."""

import json

import grpc
import pytest
from batonpass.scheduler.v1 import event_service_pb2, schedule_pb2, schedule_service_pb2

from tests.support.fake_services import FakeServices, Refusal
from tests.unit.cli.conftest import CommandLine

LATE = Refusal(grpc.StatusCode.DEADLINE_EXCEEDED, "too late", reason="DEADLINE")


def fire(disposition: str, detail: str = "", schedule_id: str = "s") -> schedule_pb2.Fire:
    return schedule_pb2.Fire(
        fire_id=f"{schedule_id}.1",
        schedule_id=schedule_id,
        disposition=schedule_pb2.Disposition.Value(f"DISPOSITION_{disposition}"),
        detail=detail,
    )


def run(services: FakeServices, became: schedule_pb2.Fire) -> None:
    """A run of a schedule that is PENDING at first and `became` once the queue has judged it."""
    services.answer("RunSchedule", schedule_service_pb2.RunScheduleResponse(fire=fire("PENDING")))
    other = schedule_pb2.Fire(fire_id="s.0", schedule_id="s")
    services.answer("ListFires", schedule_service_pb2.ListFiresResponse(fires=[other, became]))


def test_a_run_that_was_taken_says_how_to_wait_for_it(services: FakeServices, batonpass: CommandLine) -> None:
    run(services, fire("FIRED"))
    text = batonpass("schedule", "queue", "s").stdout
    assert "Task s.1 is in the queue." in text
    assert "batonpass process waits for it; batonpass task get s.1" in text
    assert [call.method for call in services.calls] == ["RunSchedule", "AwaitHandover", "ListFires"]
    assert (services.call("AwaitHandover").timeout or 99) < 3.5
    assert batonpass.json("schedule", "queue", "s")["disposition"] == "FIRED"


@pytest.mark.parametrize("disposition", ["REJECTED", "SKIPPED_OVERLAP"])
def test_a_run_that_was_not_taken_fails_with_the_reason(
    services: FakeServices, batonpass: CommandLine, disposition: str
) -> None:
    run(services, fire(disposition, "s.0"))
    result = batonpass("schedule", "queue", "s", expect=1)
    assert result.stdout == ""
    assert "s.0" in result.stderr
    result = batonpass("schedule", "queue", "s", "-o", "json", expect=1)
    assert json.loads(result.stdout)["disposition"] == disposition
    assert json.loads(result.stderr)["error"]["code"] == disposition


def test_a_run_whose_queue_is_away_waits_for_it(services: FakeServices, batonpass: CommandLine) -> None:
    run(services, fire("PENDING"))
    services.answer("AwaitHandover", LATE)
    assert "the queue has not taken it yet" in batonpass("schedule", "queue", "s").stdout


def test_a_run_that_cannot_be_looked_at_has_happened(services: FakeServices, batonpass: CommandLine) -> None:
    run(services, fire("PENDING"))
    services.answer("AwaitHandover", Refusal(grpc.StatusCode.UNAVAILABLE, "stopping"))
    assert "Task s.1" in batonpass("schedule", "queue", "s").stdout
    assert services.requests("ListFires") == []


def publish(services: FakeServices, *fires: schedule_pb2.Fire, created: bool = True) -> None:
    stored = event_service_pb2.Event(id="order-1", type="paid", data=b"1")
    reply = event_service_pb2.PublishEventResponse(event=stored, created=created, fires=fires)
    services.answer("PublishEvent", reply)


def test_an_event_says_what_became_of_each_fire(services: FakeServices, batonpass: CommandLine) -> None:
    publish(services, fire("PENDING", schedule_id="crm"), fire("FIRED", schedule_id="billing"))
    became = fire("SKIPPED_OVERLAP", "crm.0", schedule_id="crm")
    services.answer("ListFires", schedule_service_pb2.ListFiresResponse(fires=[became]))
    assert batonpass("event", "trigger", "paid").stdout.splitlines() == [
        "Event order-1 triggered 2 schedules:",
        "  crm: SKIPPED_OVERLAP - crm.0",
        "  billing: task billing.1",
    ]
    assert [request.schedule_id for request in services.requests("ListFires")] == ["crm"]


def test_an_event_with_a_task_that_was_refused_fails(services: FakeServices, batonpass: CommandLine) -> None:
    publish(services, fire("REJECTED", "the payload is too large"), fire("FIRED", schedule_id="b"))
    assert "REJECTED - the payload is too large" in batonpass("event", "trigger", "paid", expect=1).stdout


def test_an_event_whose_queue_is_away_waits_for_it(services: FakeServices, batonpass: CommandLine) -> None:
    publish(services, fire("PENDING"))
    services.answer("AwaitHandover", LATE)
    assert "task s.1, which the queue has not taken yet" in batonpass("event", "trigger", "paid").stdout


def test_an_event_that_is_published_again_fires_nothing(
    services: FakeServices, batonpass: CommandLine
) -> None:
    publish(services, fire("FIRED"), fire("FIRED", schedule_id="b"), created=False)
    result = batonpass("event", "trigger", "paid", "--id", "order-1")
    assert result.stdout.startswith("Event order-1 was published before; it triggered 2 schedules then:")
    assert batonpass("event", "trigger", "paid", "--id", "order-1", "--data", "1").stderr == ""
