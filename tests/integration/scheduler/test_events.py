"""Events that come in."""

import asyncio
from datetime import timedelta

import asyncpg
from batonpass.queue.v1 import task_pb2

from scheduler_service.domain.events import Event
from scheduler_service.domain.fire import Disposition, FireKind
from scheduler_service.domain.overlap import Overlap
from scheduler_service.domain.spec import CronSpec, EventSpec
from service_kit.caller import Caller
from service_kit.clock import ManualClock
from tests.integration.scheduler.conftest import MakeReplica
from tests.integration.scheduler.replica import ANN, Replica, at, definition
from tests.support.fake_queue import FakeQueue
from tests.support.waiting import until


def event(event_id: str, type: str = "webhook.received", *, data: bytes = b'{"n":1}') -> Event:
    return Event(
        namespace="default",
        source="/hooks",
        event_id=event_id,
        type=type,
        subject="",
        time=at("00:00"),
        data=data,
    )


async def test_event_fires_every_enabled_listener_at_once(
    replica: Replica, queue: FakeQueue, clock: ManualClock
) -> None:
    await replica.create("b", definition(EventSpec("webhook.received"), overlap=Overlap.DEFAULT))
    await replica.create("a", definition(EventSpec("webhook.received"), payload=b"mine"))
    await replica.create("off", definition(EventSpec("webhook.received")), enabled=False)
    await replica.create("deaf", definition(EventSpec("webhook.rejected")))
    await replica.create("daily", definition(CronSpec("@daily")))
    await replica.create("far", definition(EventSpec("webhook.received")), caller=Caller("other", "ann"))
    published = await replica.publisher.publish(event("e1"), "ann")
    assert published.created
    assert [fire.schedule_id for fire in published.fires] == ["a", "b"]
    assert {fire.kind for fire in published.fires} == {FireKind.EVENT}
    assert {fire.event for fire in published.fires} == {"/hooks e1"}
    await replica.hand_over()
    first, second = (queue.tasks[fire.fire_id] for fire in published.fires)
    assert (first.template.payload, second.template.payload) == (b"mine", b'{"n":1}')
    assert second.overlap_policy == task_pb2.OVERLAP_POLICY_BUFFER_ALL
    assert second.trigger_depth == 0
    assert (await replica.schedules.get(ANN, "a")).stats.fire_count == 1


async def test_publishing_again_adds_nothing_and_returns_the_first_fires(
    replica: Replica, clock: ManualClock
) -> None:
    await replica.create("a", definition(EventSpec("webhook.received")))
    first = await replica.publisher.publish(event("e1"), "ann")
    await replica.create("later", definition(EventSpec("webhook.received")))
    clock.advance(timedelta(minutes=1))
    again = await replica.publisher.publish(event("e1"), "bob")
    assert not again.created
    assert again.fires == first.fires
    assert again.event == first.event
    assert await replica.waiting() == 1


async def test_one_event_published_at_once_by_many_fires_once(make_replica: MakeReplica) -> None:
    replicas = [make_replica() for _ in range(3)]
    await replicas[0].create("a", definition(EventSpec("webhook.received")))
    calls = [each.publisher.publish(event("e1"), "ann") for each in replicas for _ in range(5)]
    answers = await asyncio.gather(*calls)
    assert sum(answer.created for answer in answers) == 1
    assert {answer.fires[0].fire_id for answer in answers} == {answers[0].fires[0].fire_id}
    assert await replicas[0].waiting() == 1


async def test_events_of_one_schedule_are_handed_over_in_the_order_they_were_stored(
    make_replica: MakeReplica, queue: FakeQueue
) -> None:
    replicas = [make_replica() for _ in range(3)]
    await replicas[0].create("a", definition(EventSpec("webhook.received")))

    async def publish(replica: Replica, name: str) -> None:
        for number in range(10):
            await replica.publisher.publish(event(f"{name}{number}"), "ann")

    publishing = [publish(each, f"r{n}-") for n, each in enumerate(replicas)]
    await asyncio.gather(*publishing)
    await replicas[0].hand_over()
    rows = await replicas[0].rows("SELECT fire_id, event FROM scheduler.fires ORDER BY id")
    assert queue.arrivals == [row["fire_id"] for row in rows]
    for name in ("r0-", "r1-", "r2-"):
        mine = [row["event"].split()[1] for row in rows if f" {name}" in row["event"]]
        assert mine == [f"{name}{number}" for number in range(10)]


async def test_numbers_of_fires_rise_in_commit_order_within_a_schedule(
    replica: Replica, scheduler_database_url: str
) -> None:
    """A publisher takes no number while another one, whose fires are not visible yet, holds the schedule."""
    await replica.create("a", definition(EventSpec("webhook.received")))
    other = await asyncpg.connect(scheduler_database_url)
    numbers = "SELECT is_called FROM scheduler.fires_id_seq"
    waiters = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    async with other.transaction():
        await other.execute("SELECT FROM scheduler.schedules FOR NO KEY UPDATE")
        publishing = asyncio.create_task(replica.publisher.publish(event("e1"), "ann"))
        await until(lambda: other.fetchval(waiters), "the publisher waits")
        assert not await other.fetchval(numbers)
    await publishing
    assert await other.fetchval(numbers)
    await other.close()


async def test_fires_are_pending_until_the_queue_has_answered(replica: Replica) -> None:
    await replica.create("a", definition(EventSpec("webhook.received")))
    (fire,) = (await replica.publisher.publish(event("e1"), "ann")).fires
    assert fire.disposition is Disposition.PENDING
    await replica.hand_over()
    (fire,) = (await replica.publisher.publish(event("e1"), "ann")).fires
    assert fire.disposition is Disposition.FIRED


async def test_listener_that_cannot_be_read_stops_no_other(replica: Replica) -> None:
    await replica.create("a", definition(EventSpec("webhook.received")))
    await replica.create("b", definition(EventSpec("webhook.received")))
    await replica.rows("UPDATE scheduler.schedules SET template = '\\xff' WHERE schedule_id = 'a'")
    published = await replica.publisher.publish(event("e1"), "ann")
    assert [fire.schedule_id for fire in published.fires] == ["b"]
    assert "template" in (await replica.schedules.get(ANN, "a")).invalid_reason


async def test_event_without_listeners_is_kept(replica: Replica) -> None:
    published = await replica.publisher.publish(event("e1"), "ann")
    assert published.created
    assert published.fires == []
    assert await replica.query("SELECT actor FROM scheduler.events") == "ann"


async def test_publishing_wakes_the_sender(replica: Replica) -> None:
    await replica.create("a", definition(EventSpec("webhook.received")))
    replica.signals.outbox.clear()
    await replica.publisher.publish(event("e1"), "ann")
    assert replica.signals.outbox.is_set()
