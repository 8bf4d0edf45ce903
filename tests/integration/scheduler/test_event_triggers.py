"""What triggers make of events: patterns, batches, debounce, throttle."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from scheduler_service.domain.errors import EventReused, InvalidSchedule
from scheduler_service.domain.events import Event
from scheduler_service.domain.fire import Disposition
from scheduler_service.domain.spec import EventBatch, EventSpec
from scheduler_service.domain.timing import Timing
from service_kit.clock import ManualClock
from tests.integration.scheduler.conftest import MakeReplica
from tests.integration.scheduler.replica import ANN, Replica, at, definition
from tests.support.fake_queue import FakeQueue

SECOND = timedelta(seconds=1)
TYPE = "order.created"


def event(event_id: str, data: Any = None, type: str = TYPE, depth: int = 0) -> Event:
    return Event(
        namespace="default",
        source="/shop",
        event_id=event_id,
        type=type,
        subject="",
        time=at("00:00"),
        data=b"" if data is None else json.dumps(data).encode(),
        depth=depth,
    )


async def publish(replica: Replica, *events: Event) -> list[list[Disposition]]:
    """What each of them, one after the other, made of the listeners."""
    answers = [await replica.publisher.publish(each, "ann") for each in events]
    return [[fire.disposition for fire in answer.fires] for answer in answers]


async def became(replica: Replica, schedule_id: str = "a") -> list[tuple[str, str]]:
    """Id of the event and disposition of each fire, oldest first; NULL detail is left out."""
    rows = await replica.rows(
        "SELECT event, disposition FROM scheduler.fires WHERE schedule_id = $1 ORDER BY id", schedule_id
    )
    return [(row["event"].split()[1], Disposition(row["disposition"]).name) for row in rows]


def payloads(queue: FakeQueue) -> list[Any]:
    return [json.loads(queue.tasks[arrival].template.payload) for arrival in queue.arrivals]


async def test_only_events_that_meet_the_pattern_leave_a_fire(replica: Replica, queue: FakeQueue) -> None:
    pattern = '{"data": {"amount": [{"numeric": [">", 100]}]}}'
    await replica.create("a", definition(EventSpec("order.*", pattern=pattern)))
    await replica.create("b", definition(EventSpec("*", cel="event.data.amount <= 100")))
    made = await publish(replica, event("e1", {"amount": 150}), event("e2", {"amount": 50}), event("e3"))
    assert [len(fires) for fires in made] == [1, 1, 0]
    assert await became(replica, "a") == [("e1", "PENDING")]
    assert await became(replica, "b") == [("e2", "PENDING")]
    await replica.hand_over()
    assert payloads(queue) == [{"amount": 150}, {"amount": 50}]


async def test_type_with_a_star_hears_what_it_stands_for_but_no_event_of_the_system(replica: Replica) -> None:
    await replica.create("a", definition(EventSpec("order_*.created")))
    heard = ["order_eu.created", "order_.created"]
    unheard = ["orderXeu.created", "order_eu.paid", "task.completed"]
    await replica.create("wide", definition(EventSpec("*")))
    for name in [*heard, *unheard]:
        await publish(replica, event(name, type=name))
    assert [name for name, _ in await became(replica)] == heard
    assert [name for name, _ in await became(replica, "wide")] == [*heard, *unheard[:2]]


async def test_trigger_listens_from_its_start_to_its_end(replica: Replica, clock: ManualClock) -> None:
    now = clock.now()
    timing = Timing(specs=(EventSpec(TYPE),), start=now + SECOND, end=now + 2 * SECOND)
    made = definition(EventSpec(TYPE))
    await replica.create("a", replace(made, timing=timing))
    for number in range(4):
        await publish(replica, event(f"e{number}"))
        clock.advance(SECOND)
    assert await became(replica) == [("e1", "PENDING"), ("e2", "PENDING")]


async def test_payload_template_is_filled_in(replica: Replica, queue: FakeQueue) -> None:
    template = '{"order": "{{data.id}}", "text": "{{type}} of {{source}}"}'
    await replica.create("a", definition(EventSpec(TYPE, payload_template=template)))
    await publish(replica, event("e1", {"id": 17}))
    await replica.hand_over()
    assert payloads(queue) == [{"order": 17, "text": "order.created of /shop"}]


async def test_payload_that_would_be_too_long_is_rejected_with_the_reason(replica: Replica) -> None:
    template = '["{{data}}", "{{data}}"]'
    await replica.create("a", definition(EventSpec(TYPE, payload_template=template)))
    answer = await replica.publisher.publish(event("e1", "x" * 200_000), "ann")
    assert [fire.disposition for fire in answer.fires] == [Disposition.REJECTED]
    assert answer.fires[0].detail == "its payload would be longer than 262,144 bytes"
    assert await replica.waiting() == 0


async def test_debounce_fires_once_with_the_last_event_when_no_more_come(
    replica: Replica, queue: FakeQueue, clock: ManualClock
) -> None:
    await replica.create("a", definition(EventSpec(TYPE, debounce=2 * SECOND)))
    for number in range(3):
        assert await publish(replica, event(f"e{number}", number)) == [[Disposition.PENDING]]
        clock.advance(SECOND)
        await replica.gatherings.step()
    assert await replica.waiting() == 0
    clock.advance(SECOND)
    await replica.gatherings.step()
    await replica.hand_over()
    assert payloads(queue) == [2]
    assert await became(replica) == [("e0", "BATCHED"), ("e1", "BATCHED"), ("e2", "FIRED")]
    fires = await replica.fires("a")
    assert {fire.detail for fire in fires[:2]} == {f"into {fires[2].fire_id}"}
    assert await replica.query("SELECT count(*) FROM scheduler.gatherings") == 0


async def test_debounce_keeps_apart_what_a_pause_separates_even_when_nobody_looked(
    replica: Replica, queue: FakeQueue, clock: ManualClock
) -> None:
    await replica.create("a", definition(EventSpec(TYPE, debounce=SECOND)))
    await publish(replica, event("e1", 1))
    clock.advance(5 * SECOND)
    await publish(replica, event("e2", 2))
    clock.advance(5 * SECOND)
    await replica.gatherings.step()
    await replica.hand_over()
    assert payloads(queue) == [1, 2]


async def test_throttle_fires_at_most_once_in_its_time(replica: Replica, clock: ManualClock) -> None:
    await replica.create("a", definition(EventSpec(TYPE, throttle=10 * SECOND)))
    for number in range(12):
        await publish(replica, event(f"e{number}"))
        clock.advance(SECOND)
    fired = [name for name, disposition in await became(replica) if disposition == "PENDING"]
    assert fired == ["e0", "e10"]
    details = {fire.detail for fire in (await replica.fires("a"))[1:10]}
    assert details == {"the last one fired at 2026-01-01T00:00:00Z, at most one does in 10 s"}


async def test_throttle_holds_within_one_transaction_and_over_replicas(make_replica: MakeReplica) -> None:
    replicas = [make_replica() for _ in range(3)]
    await replicas[0].create("a", definition(EventSpec(TYPE, throttle=10 * SECOND)))
    calls = [
        each.publisher.publish(event(f"{n}-{k}"), "ann") for n, each in enumerate(replicas) for k in range(9)
    ]
    await asyncio.gather(*calls)
    assert sorted(disposition for _, disposition in await became(replicas[0])) == ["PENDING"] + 26 * [
        "THROTTLED"
    ]


def batch(most: int = 3, wait: timedelta = 10 * SECOND, **more: Any) -> EventSpec:
    return EventSpec(TYPE, batch=EventBatch(most, wait), **more)


async def test_batch_fires_when_it_is_full_and_at_the_latest_after_its_wait(
    replica: Replica, queue: FakeQueue, clock: ManualClock
) -> None:
    await replica.create("a", definition(batch()))
    for number in range(5):
        await publish(replica, event(f"e{number}", number))
    await replica.gatherings.step()
    await replica.hand_over()
    assert payloads(queue) == [[0, 1, 2]]
    clock.advance(10 * SECOND)
    await replica.gatherings.step()
    await replica.hand_over()
    assert payloads(queue) == [[0, 1, 2], [3, 4]]
    assert [name for _, name in await became(replica)] == ["BATCHED", "BATCHED", "FIRED", "BATCHED", "FIRED"]


async def test_events_that_come_at_once_fill_several_batches(
    make_replica: MakeReplica, queue: FakeQueue, clock: ManualClock
) -> None:
    replicas = [make_replica() for _ in range(3)]
    await replicas[0].create("a", definition(batch(most=4, payload_template='"{{events}}"')))
    calls = [
        each.publisher.publish(event(f"{n}-{k}"), "ann") for n, each in enumerate(replicas) for k in range(10)
    ]
    await asyncio.gather(*calls)
    clock.advance(10 * SECOND)
    await asyncio.gather(*(each.gatherings.step() for each in replicas))
    await replicas[0].hand_over()
    ids = [each["id"] for payload in payloads(queue) for each in payload]
    assert sorted(ids) == sorted(f"{n}-{k}" for n in range(3) for k in range(10))
    assert sorted(len(payload) for payload in payloads(queue)) == [2] + 7 * [4]


async def test_batch_too_large_for_a_payload_is_rejected_and_no_event_is_left_open(
    replica: Replica, clock: ManualClock
) -> None:
    await replica.create("a", definition(batch(most=2)))
    await publish(replica, event("e1", "x" * 140_000), event("e2", "x" * 140_000))
    await replica.gatherings.step()
    assert await became(replica) == [("e1", "BATCHED"), ("e2", "REJECTED")]
    assert await replica.waiting() == 0


async def test_many_gathered_events_are_settled_in_small_transactions(
    replica: Replica, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scheduler_service.app.gatherings.MOST_SETTLED", 4)
    await replica.create("a", definition(EventSpec(TYPE, debounce=SECOND)))
    await asyncio.gather(*(replica.publisher.publish(event(f"e{n}"), "ann") for n in range(10)))
    clock.advance(SECOND)
    steps = 1
    while await replica.gatherings.step() == 0.0:
        steps += 1
    assert steps == 3
    assert sorted(disposition for _, disposition in await became(replica)) == 9 * ["BATCHED"] + ["PENDING"]
    assert await replica.waiting() == 1


async def test_gathered_events_outlive_a_restart_and_fire_once_on_several_replicas(
    make_replica: MakeReplica, queue: FakeQueue, clock: ManualClock
) -> None:
    first = make_replica()
    await first.create("a", definition(EventSpec(TYPE, debounce=SECOND)))
    await publish(first, event("e1", 1), event("e2", 2))
    await first.close()
    replicas = [make_replica() for _ in range(3)]
    clock.advance(SECOND)
    await asyncio.gather(*(each.gatherings.step() for each in replicas))
    await replicas[0].hand_over()
    assert payloads(queue) == [2]
    assert await became(replicas[0]) == [("e1", "BATCHED"), ("e2", "FIRED")]


async def test_disabling_ends_what_was_gathered_as_paused(replica: Replica, clock: ManualClock) -> None:
    await replica.create("a", definition(batch()))
    await publish(replica, event("e1"), event("e2"))
    await replica.schedules.disable(ANN, "a", "stop")
    clock.advance(10 * SECOND)
    await replica.gatherings.step()
    assert await became(replica) == [("e1", "PAUSED"), ("e2", "PAUSED")]


async def test_deleting_ends_what_was_gathered_as_rejected_at_once(replica: Replica) -> None:
    await replica.create("a", definition(batch()))
    await publish(replica, event("e1"))
    await replica.schedules.delete(ANN, "a")
    await replica.create("a", definition(batch()))
    await replica.gatherings.step()
    assert await became(replica) == [("e1", "REJECTED")]
    assert await replica.waiting() == 0


async def test_edited_trigger_fires_what_it_had_gathered_as_it_is_then(
    replica: Replica, queue: FakeQueue, clock: ManualClock
) -> None:
    await replica.create("a", definition(batch()))
    await publish(replica, event("e1", 1), event("e2", 2))
    await replica.schedules.update(ANN, "a", lambda _: definition(EventSpec(TYPE)))
    await publish(replica, event("e3", 3))
    clock.advance(10 * SECOND)
    await replica.gatherings.step()
    await replica.hand_over()
    assert payloads(queue) == [2, 3]
    assert await became(replica) == [("e1", "BATCHED"), ("e2", "FIRED"), ("e3", "FIRED")]


async def test_gatherings_that_nobody_fires_are_measured(replica: Replica, clock: ManualClock) -> None:
    await replica.create("a", definition(EventSpec(TYPE, debounce=SECOND)))
    await publish(replica, event("e1"))
    clock.advance(12 * SECOND)
    await replica.watchdog.step()
    assert replica.registry.get_sample_value("batonpass_gatherings_overdue") == 1
    await replica.gatherings.step()
    await replica.watchdog.step()
    assert replica.registry.get_sample_value("batonpass_gatherings_overdue") == 0


async def test_publishing_again_adds_nothing_to_a_batch(replica: Replica, clock: ManualClock) -> None:
    await replica.create("a", definition(batch()))
    await publish(replica, event("e1"), event("e1"), event("e1"))
    assert await became(replica) == [("e1", "PENDING")]
    assert await replica.query("SELECT count FROM scheduler.gatherings") == 1


async def test_chain_of_triggers_that_is_too_long_is_cut_before_it_is_gathered(replica: Replica) -> None:
    await replica.create("a", definition(batch()))
    answer = await replica.publisher.publish(event("e1", depth=9), "ann")
    assert [(fire.disposition, fire.detail) for fire in answer.fires] == [
        (Disposition.LOOP_CUT, "a chain of 9 triggers, the longest allowed is 8")
    ]


async def test_same_id_with_another_body_is_refused(replica: Replica) -> None:
    await replica.create("a", definition(EventSpec(TYPE)))
    await publish(replica, event("e1", 1))
    for other in (event("e1", 2), event("e1", 1, type="order.paid"), event("e1")):
        with pytest.raises(EventReused):
            await replica.publisher.publish(other, "ann")
    answers = await asyncio.gather(
        *(replica.publisher.publish(event("e2", n), "ann") for n in range(2)), return_exceptions=True
    )
    assert [isinstance(answer, EventReused) for answer in answers] == [False, True]
    assert len(await became(replica)) == 2


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (EventSpec(TYPE, pattern='{"a": 1}'), "pattern"),
        (EventSpec(TYPE, cel="event.a >"), "cel"),
        (EventSpec(TYPE, pattern='{"a": [1]}', cel="true"), "cel"),
        (EventSpec(TYPE, payload_template='"{{a}}"'), "payload_template"),
        (EventSpec(TYPE, debounce=SECOND, throttle=SECOND), "throttle"),
        (EventSpec(TYPE, debounce=SECOND, batch=EventBatch(2, SECOND)), "batch"),
    ],
)
async def test_trigger_that_breaks_a_rule_is_refused(replica: Replica, spec: EventSpec, field: str) -> None:
    with pytest.raises(InvalidSchedule) as caught:
        await replica.create("a", definition(spec))
    assert caught.value.field == f"specs[0].event.{field}"


async def test_payload_and_payload_template_exclude_each_other(replica: Replica) -> None:
    with pytest.raises(InvalidSchedule) as caught:
        await replica.create("a", definition(EventSpec(TYPE, payload_template="1"), payload=b"2"))
    assert caught.value.field == "specs[0].event.payload_template"
