"""`batonpass event` and the options of triggers: what each verb asks and shows."""

from datetime import timedelta

import pytest
from batonpass.scheduler.v1 import event_service_pb2 as pb
from batonpass.scheduler.v1 import schedule_pb2, schedule_service_pb2
from google.protobuf.duration_pb2 import Duration

from tests.support.fake_services import FakeServices
from tests.unit.cli import making
from tests.unit.cli.conftest import CommandLine

NOON = "2026-03-01T12:00:00Z"
NOW = making.at(making.NOON)
STORED = pb.Event(id="e1", source="/shop", type="order.paid", time=NOW, data=b'{"n": 1}')
FIRE = schedule_pb2.Fire(fire_id="a.1", schedule_id="a", disposition=schedule_pb2.DISPOSITION_FIRED)


def test_get_shows_an_event_and_what_became_of_it(services: FakeServices, batonpass: CommandLine) -> None:
    received = NOW
    services.answer("GetEvent", pb.GetEventResponse(event=STORED, receive_time=received, fires=[FIRE]))
    record = batonpass.json("event", "get", "e1", "--source", "/shop")
    assert (record["event"]["data"], record["received_at"]) == ({"n": 1}, NOON)
    assert [fire["schedule_id"] for fire in record["fires"]] == ["a"]
    assert services.call("GetEvent").request == pb.GetEventRequest(id="e1", source="/shop")
    assert "FIRED" in batonpass("event", "get", "e1").stdout


def test_list_asks_for_type_source_and_time(services: FakeServices, batonpass: CommandLine) -> None:
    services.answer("ListEvents", pb.ListEventsResponse(events=[STORED]))
    words = ("--type", "order.*", "--source", "/shop", "--since", NOON, "--until", NOON)
    assert [each["id"] for each in batonpass.json("event", "list", *words)["events"]] == ["e1"]
    request = services.requests("ListEvents")[0]
    assert (request.type, request.source) == ("order.*", "/shop")
    assert request.from_time == request.until_time == NOW
    assert "order.paid" in batonpass("event", "list").stdout


def test_explain_shows_the_clause_that_failed(services: FakeServices, batonpass: CommandLine) -> None:
    clause = pb.ClauseOutcome(path="data.n", clause="[2]", met=False, found="1")
    trigger = pb.TriggerExplanation(schedule_id="a", reason="data.n is 1, not [2]", clauses=[clause])
    services.answer("ExplainEvent", pb.ExplainEventResponse(triggers=[trigger]))
    shown = batonpass("event", "explain", "--id", "e1", "--schedule", "a").stdout
    assert "data.n is 1, not [2]" in shown
    assert services.requests("ExplainEvent")[-1] == pb.ExplainEventRequest(
        event=pb.Event(id="e1"), schedule_id="a"
    )
    trigger.matches, trigger.payload = True, b'{"x": 1}'
    services.answer("ExplainEvent", pb.ExplainEventResponse(triggers=[trigger]))
    words = ("--type", "order.paid", "--data", '{"n": 1}', "--listen", "order.*", "--cel", "event.data.n > 0")
    record = batonpass.json("event", "explain", *words)
    assert record["triggers"][0]["payload"] == {"x": 1}
    draft = schedule_pb2.EventSpec(type="order.*", cel="event.data.n > 0")
    assert services.requests("ExplainEvent")[-1].draft == draft
    assert "Payload: " in batonpass("event", "explain", *words).stdout


def test_replay_says_what_it_did(services: FakeServices, batonpass: CommandLine) -> None:
    reply = pb.ReplayEventsResponse(events=3, matched=2, fired=2, first_events=[STORED])
    services.answer("ReplayEvents", reply)
    words = ("event", "replay", "a", "--since", NOON, "--request-id", "r1")
    assert batonpass(*words).stdout == ("Of 3 events, 2 met the trigger; 2 fired.\n  order.paid e1\n")
    request = services.requests("ReplayEvents")[0]
    assert (request.schedule_id, request.request_id, request.dry_run) == ("a", "r1", False)
    assert "2 would fire" in batonpass(*words, "--dry-run").stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("explain",), "Say which event"),
        (("explain", "--id", "e1", "--cel", "true"), "--cel belongs to --listen"),
        (("replay", "--since", NOON), "Say where to"),
        (("replay", "a", "--since", NOON, "--listen", "x"), "Say where to"),
        (
            ("replay", "--since", NOON, "--listen", "x", "--batch-wait", "5s"),
            "belongs to --batch-size",
        ),
    ],
)
def test_wrong_command_line_is_refused(
    services: FakeServices, batonpass: CommandLine, words: tuple[str, ...], said: str
) -> None:
    assert said in batonpass("event", *words, expect=2).stderr
    assert services.calls == []


def test_create_makes_a_trigger_of_its_options(services: FakeServices, batonpass: CommandLine) -> None:
    made = schedule_service_pb2.CreateScheduleResponse(schedule=schedule_pb2.Schedule(schedule_id="a"))
    services.answer("CreateSchedule", made)
    base = ("schedule", "create", "a", "--handler", "name:x", "--event", "order.*")
    batonpass(*base, "--pattern", '{"data":{"n":[1]}}', "--debounce", "5s", "--payload-template", '"{{id}}"')
    assert services.requests("CreateSchedule")[-1].schedule.specs[0].event == schedule_pb2.EventSpec(
        type="order.*",
        pattern='{"data":{"n":[1]}}',
        debounce=Duration(seconds=5),
        payload_template='"{{id}}"',
    )
    batonpass(*base, "--batch-size", "10", "--batch-wait", "1500ms")
    batch = services.requests("CreateSchedule")[-1].schedule.specs[0].event.batch
    assert (batch.max_events, batch.max_wait.ToTimedelta()) == (10, timedelta(milliseconds=1500))
    wrong = ("schedule", "create", "a", "--handler", "name:x", "--every", "5s", "--throttle", "5s")
    assert "--throttle belongs to --event" in batonpass(*wrong, expect=2).stderr
