"""Stored events: read, explained, replayed."""

import json
from datetime import timedelta
from typing import Any

import grpc
from batonpass.scheduler.v1 import event_service_pb2 as pb
from batonpass.scheduler.v1.schedule_pb2 import DISPOSITION_PENDING, EventBatch, EventSpec, ScheduleSpec
from google.protobuf.duration_pb2 import Duration

from service_kit.clock import ManualClock
from tests.integration.scheduler.calls import Api, refused, schedule, stamp
from tests.integration.scheduler.replica import Replica
from tests.support.fake_queue import FakeQueue

MINUTE = timedelta(minutes=1)
START = "2026-01-01T00:00:00Z"


def spec(type: str = "order.*", **fields: Any) -> ScheduleSpec:
    return ScheduleSpec(event=EventSpec(type=type, **fields))


def event(event_id: str, data: Any = None, **fields: Any) -> pb.Event:
    fields = {"type": "order.created", "source": "/shop"} | fields
    return pb.Event(id=event_id, data=b"" if data is None else json.dumps(data).encode(), **fields)


async def publish(api: Api, clock: ManualClock, count: int) -> None:
    """`e0`, `e1`, ..., a minute apart, with their numbers as data."""
    for number in range(count):
        await api.PublishEvent(event=event(f"e{number}", number))
        clock.advance(MINUTE)


async def test_event_is_read_with_what_became_of_it(api: Api, clock: ManualClock) -> None:
    await api.CreateSchedule(schedule=schedule("a", spec()))
    await publish(api, clock, 1)
    found = await api.GetEvent(source="/shop", id="e0")
    assert (found.event.id, found.event.data, found.receive_time) == ("e0", b"0", stamp(START))
    assert [(fire.schedule_id, fire.disposition) for fire in found.fires] == [("a", DISPOSITION_PENDING)]
    refusal = await refused(api.GetEvent(id="e0"), grpc.StatusCode.NOT_FOUND)
    assert refusal.reason == "EVENT_NOT_FOUND"
    await refused(api.GetEvent(source="/shop", id="e0", namespace="other"), grpc.StatusCode.NOT_FOUND)


async def test_events_are_listed_latest_first_by_type_source_and_time(api: Api, clock: ManualClock) -> None:
    await publish(api, clock, 5)
    await api.PublishEvent(event=event("x", type="order_paid", source="/till"))

    async def listed(**fields: Any) -> list[str]:
        return [each.id for each in (await api.ListEvents(**fields)).events]

    assert await listed() == ["x", "e4", "e3", "e2", "e1", "e0"]
    assert await listed(type="order.*") == ["e4", "e3", "e2", "e1", "e0"]
    assert await listed(type="order_*") == ["x"]
    assert await listed(source="/till") == ["x"]
    between = {"from_time": stamp("2026-01-01T00:01:00Z"), "until_time": stamp("2026-01-01T00:03:00Z")}
    assert await listed(**between) == ["e2", "e1"]
    assert await listed(namespace="other") == []


async def test_pages_of_events_join_without_gap(api: Api, clock: ManualClock) -> None:
    for number in range(7):
        await api.PublishEvent(event=event(f"e{number}"))
    seen, token = [], ""
    while True:
        page = await api.ListEvents(page_size=3, page_token=token)
        seen += [each.id for each in page.events]
        token = page.next_page_token
        if not token:
            break
    assert seen == [f"e{number}" for number in reversed(range(7))]


async def test_page_has_two_mebibytes_or_one_event(api: Api) -> None:
    for number in range(10):
        await api.PublishEvent(event=event(f"e{number}", "x" * 250_000))
    page = await api.ListEvents()
    assert len(page.events) == 8
    assert len((await api.ListEvents(page_token=page.next_page_token)).events) == 2


async def test_explanation_names_the_clause_that_failed(api: Api) -> None:
    pattern = '{"data": {"amount": [{"numeric": [">", 100]}], "vip": [true]}}'
    await api.CreateSchedule(schedule=schedule("cel", spec(cel="event.data.amount > 10")))
    await api.CreateSchedule(schedule=schedule("off", spec(), disabled=True))
    await api.CreateSchedule(schedule=schedule("other", spec("invoice.*")))
    await api.CreateSchedule(schedule=schedule("pattern", spec(pattern=pattern)))
    await api.CreateSchedule(schedule=schedule("time"))
    await api.PublishEvent(event=event("e1", {"amount": 50, "vip": True}))
    explained = (await api.ExplainEvent(event=pb.Event(source="/shop", id="e1"))).triggers
    assert [(each.schedule_id, each.matches, each.reason) for each in explained] == [
        ("cel", True, "fires at once"),
        ("off", False, "the schedule is disabled"),
        ("other", False, "it listens to invoice.*, not to order.created"),
        ("pattern", False, 'data.amount is 50, not [{"numeric":[">",100]}]'),
    ]
    assert explained[0].payload == b'{"amount": 50, "vip": true}'
    assert [(each.path, each.met, each.found) for each in explained[3].clauses] == [
        ("data.amount", False, "50"),
        ("data.vip", True, "true"),
    ]


async def test_draft_is_explained_for_an_event_that_nobody_published(api: Api) -> None:
    draft = EventSpec(type="*", payload_template='{"n": "{{events.0.data}}"}')
    draft.batch.CopyFrom(EventBatch(max_events=5, max_wait=Duration(seconds=60)))
    (explained,) = (await api.ExplainEvent(event=event("", 7), draft=draft)).triggers
    assert (explained.matches, explained.payload) == (True, b'{"n":7}')
    assert explained.reason == "gathered: fires with 5 events, at the latest after 60 s"
    assert (await api.ListEvents()).events == []


async def test_explaining_what_cannot_be_is_refused(api: Api) -> None:
    await api.CreateSchedule(schedule=schedule("time"))
    bad = EventSpec(type="*", pattern="{}")
    refusal = await refused(api.ExplainEvent(event=event("e"), draft=bad), grpc.StatusCode.INVALID_ARGUMENT)
    assert list(refusal.violations) == ["draft.pattern"]
    call = api.ExplainEvent(event=event("e"), schedule_id="time")
    await refused(call, grpc.StatusCode.INVALID_ARGUMENT)
    await refused(api.ExplainEvent(event=event("e"), schedule_id="none"), grpc.StatusCode.NOT_FOUND)
    await refused(api.ExplainEvent(event=pb.Event(id="none")), grpc.StatusCode.NOT_FOUND)
    refusal = await refused(api.ExplainEvent(event=event("e", type="a b")), grpc.StatusCode.INVALID_ARGUMENT)
    assert list(refusal.violations) == ["event.type"]


async def test_replay_fires_each_event_of_the_range_once_under_a_request_id(
    api: Api, replica: Replica, clock: ManualClock, queue: FakeQueue
) -> None:
    await publish(api, clock, 6)
    await api.CreateSchedule(schedule=schedule("a", spec(pattern='{"data": [{"numeric": [">=", 2]}]}')))
    wanted = {
        "from_time": stamp("2026-01-01T00:01:00Z"),
        "until_time": stamp("2026-01-01T00:05:00Z"),
        "schedule_id": "a",
        "request_id": "r 1",
    }
    dry = await api.ReplayEvents(**wanted, dry_run=True)
    assert (dry.events, dry.matched, dry.fired) == (4, 3, 3)
    assert [each.id for each in dry.first_events] == ["e2", "e3", "e4"]
    assert await replica.waiting() == 0
    for _ in range(2):
        replayed = await api.ReplayEvents(**wanted)
        assert (replayed.events, replayed.matched, replayed.fired) == (4, 3, 3)
        clock.advance(MINUTE)
    assert await replica.waiting() == 3
    assert (await api.ReplayEvents(**wanted | {"request_id": "r"})).fired == 3
    await replica.hand_over()
    sent = [queue.tasks[arrival].template.payload for arrival in queue.arrivals]
    assert sent == [b"2", b"3", b"4"] * 2
    assert (await api.GetEvent(source="/shop", id="e2")).fires == []


async def test_event_that_fired_when_it_came_is_fired_again_by_a_replay(
    api: Api, replica: Replica, clock: ManualClock
) -> None:
    await api.CreateSchedule(schedule=schedule("a", spec()))
    await publish(api, clock, 2)
    assert (await api.ReplayEvents(from_time=stamp(START), schedule_id="a")).fired == 2
    fires = await replica.fires("a")
    assert [fire.event for fire in fires] == ["/shop e0", "/shop e1"] * 2
    assert [fire.actor for fire in fires] == ["", "", "ann", "ann"]


async def test_replay_into_a_batch_trigger_hands_over_batches_of_one(
    api: Api, replica: Replica, clock: ManualClock, queue: FakeQueue
) -> None:
    await publish(api, clock, 2)
    batch = EventBatch(max_events=10, max_wait=Duration(seconds=60))
    await api.CreateSchedule(schedule=schedule("a", spec(batch=batch), disabled=True))
    await api.ReplayEvents(from_time=stamp(START), schedule_id="a")
    await replica.hand_over()
    assert [queue.tasks[each].template.payload for each in queue.arrivals] == [b"[0]", b"[1]"]


async def test_replay_leaves_alone_what_comes_in_while_it_works(api: Api, clock: ManualClock) -> None:
    await publish(api, clock, 1)
    await api.PublishEvent(event=event("e1"))
    counted = await api.ReplayEvents(from_time=stamp(START), draft=EventSpec(type="*"), dry_run=True)
    assert counted.events == 1


async def test_replay_works_in_small_transactions(
    api: Api, replica: Replica, clock: ManualClock, monkeypatch: Any
) -> None:
    monkeypatch.setattr("scheduler_service.app.replays.PART", 2)
    await publish(api, clock, 5)
    await api.CreateSchedule(schedule=schedule("a", spec()))
    assert (await api.ReplayEvents(from_time=stamp(START), schedule_id="a")).fired == 5
    assert [fire.event for fire in await replica.fires("a")] == [f"/shop e{n}" for n in range(5)]


async def test_replay_of_too_many_events_or_into_nothing_is_refused(
    api: Api, clock: ManualClock, monkeypatch: Any
) -> None:
    await publish(api, clock, 3)
    await api.CreateSchedule(schedule=schedule("time"))
    since = {"from_time": stamp(START)}
    draft = EventSpec(type="*")
    counted = await api.ReplayEvents(**since, draft=draft, dry_run=True)
    assert (counted.events, counted.matched, counted.fired) == (3, 3, 3)
    refusal = await refused(api.ReplayEvents(**since, draft=draft), grpc.StatusCode.INVALID_ARGUMENT)
    assert list(refusal.violations) == ["draft"]
    await refused(api.ReplayEvents(**since, schedule_id="time"), grpc.StatusCode.INVALID_ARGUMENT)
    await refused(api.ReplayEvents(**since, schedule_id="none"), grpc.StatusCode.NOT_FOUND)
    monkeypatch.setattr("scheduler_service.app.replays.MOST_EVENTS", 2)
    call = api.ReplayEvents(**since, draft=draft, dry_run=True)
    refusal = await refused(call, grpc.StatusCode.INVALID_ARGUMENT)
    assert list(refusal.violations) == ["from_time"]


async def test_event_with_a_used_id_and_another_body_is_refused(api: Api, clock: ManualClock) -> None:
    await api.PublishEvent(event=event("e1", 1))
    clock.advance(MINUTE)
    assert not (await api.PublishEvent(event=event("e1", 1))).created
    refusal = await refused(api.PublishEvent(event=event("e1", 2)), grpc.StatusCode.ALREADY_EXISTS)
    assert refusal.reason == "EVENT_REUSED"
    given = event("e1", 1, time=stamp("2026-01-01T00:00:01Z"))
    await refused(api.PublishEvent(event=given), grpc.StatusCode.ALREADY_EXISTS)


async def test_data_nested_deeper_than_64_levels_is_refused(api: Api) -> None:
    def nested(levels: int) -> pb.Event:
        return pb.Event(type="a", data=b"[" * levels + b"]" * levels)

    await api.PublishEvent(event=nested(64))
    for levels in (65, 100_000):
        call = api.PublishEvent(event=nested(levels))
        refusal = await refused(call, grpc.StatusCode.INVALID_ARGUMENT)
        assert list(refusal.violations) == ["event.data"]
