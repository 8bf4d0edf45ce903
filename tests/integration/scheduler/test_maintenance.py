"""Retention: what is too old goes, in small batches; what is still needed stays."""

from datetime import timedelta

from scheduler_service.domain.events import Event
from scheduler_service.domain.overlap import Overlap
from scheduler_service.domain.spec import CronSpec, EventSpec
from scheduler_service.store import maintenance
from service_kit.clock import ManualClock
from tests.integration.scheduler.replica import ANN, Replica, at, definition


async def tidy(replica: Replica) -> int:
    """Steps until there is no more to do; returns the number of steps."""
    steps = 1
    while await replica.maintenance.step() == 0.0:
        steps += 1
    return steps


async def fire(replica: Replica, count: int) -> None:
    for _ in range(count):
        await replica.schedules.run(ANN, "a", "", Overlap.ALLOW_ALL)


async def test_settled_fires_go_after_90_days_and_pending_ones_stay(
    replica: Replica, clock: ManualClock
) -> None:
    await replica.create("a", definition(CronSpec("@yearly")))
    await fire(replica, 2)
    await replica.hand_over()
    await fire(replica, 1)
    clock.advance(timedelta(days=89))
    await fire(replica, 1)
    await tidy(replica)
    assert len(await replica.fires("a")) == 4
    clock.advance(timedelta(days=2))
    await tidy(replica)
    assert [each.nominal for each in await replica.fires("a")] == [
        at("00:00"),
        at("00:00") + timedelta(days=89),
    ]


async def test_more_than_a_batch_goes_in_several_steps(replica: Replica, clock: ManualClock) -> None:
    await replica.create("a", definition(CronSpec("@yearly")))
    await fire(replica, 5)
    await replica.hand_over()
    await replica.rows(
        "INSERT INTO scheduler.fires (namespace, schedule_id, incarnation, generation, kind, key, fire_id,"
        " nominal_at, count, local_time, utc_offset, fired_at, disposition, detail, settled_at, event, actor)"
        " SELECT namespace, schedule_id, incarnation, generation, kind, n::text, n::text, nominal_at, count,"
        " local_time, utc_offset, fired_at, disposition, detail, settled_at, event, actor"
        " FROM (SELECT * FROM scheduler.fires LIMIT 1) f, generate_series(1, $1) n",
        maintenance.BATCH + 10,
    )
    clock.advance(timedelta(days=91))
    assert await tidy(replica) >= 2
    assert await replica.query("SELECT count(*) FROM scheduler.fires") == 0


async def test_events_go_after_30_days_and_firing_again_stays_impossible(
    replica: Replica, clock: ManualClock
) -> None:
    """The ledger outlives the event: published once more, it is new but fires nothing."""
    await replica.create("a", definition(EventSpec("webhook.received")))
    event = Event(
        namespace="default",
        source="s",
        event_id="e",
        type="webhook.received",
        subject="",
        time=at("00:00"),
        data=b"",
    )
    await replica.publisher.publish(event, "ann")
    clock.advance(timedelta(days=31))
    await tidy(replica)
    assert await replica.query("SELECT count(*) FROM scheduler.events") == 0
    assert (await replica.publisher.publish(event, "ann")).fires == []
    assert len(await replica.fires("a")) == 1
