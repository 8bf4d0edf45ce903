"""How replicas share the outbox: each its fair part, taken over in order."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby

from scheduler_service.app.shards import Shards
from scheduler_service.domain.catch_up import CatchUp
from scheduler_service.domain.overlap import Overlap
from scheduler_service.domain.spec import IntervalSpec
from scheduler_service.store.fires import shard
from service_kit.clock import ManualClock
from tests.integration.scheduler.conftest import MakeReplica
from tests.integration.scheduler.replica import Replica, definition
from tests.support.fake_queue import FakeQueue

SECOND = timedelta(seconds=1)
EVERY_SECOND = definition(IntervalSpec(SECOND), catch_up=CatchUp.ALL, overlap=Overlap.BUFFER_ALL)


def shares(replicas: Sequence[Replica]) -> list[int]:
    """How many shards each holds."""
    return [sum("outbox" in key for key in replica.locks.held) for replica in replicas]


async def a_round(clock: ManualClock, replicas: Sequence[Replica]) -> None:
    """A second passes, and every replica looks once."""
    clock.advance(SECOND)
    for replica in replicas:
        await replica.handover.step()


async def test_three_replicas_share_fairly_within_seconds_and_two_take_over_from_a_third(
    make_replica: MakeReplica, clock: ManualClock
) -> None:
    replicas = [make_replica() for _ in range(3)]
    await replicas[0].handover.step()
    assert shares(replicas[:1]) == [16]
    for _ in range(3):
        await a_round(clock, replicas)
    assert sorted(shares(replicas)) == [4, 6, 6]
    await replicas[0].close()
    for _ in range(2):
        await a_round(clock, replicas[1:])
    assert shares(replicas[1:]) == [8, 8]


async def test_replica_that_cannot_send_leaves_its_share_to_the_others(
    make_replica: MakeReplica, clock: ManualClock
) -> None:
    first, second = Shards(make_replica().locks), Shards(make_replica().locks)
    for _ in range(3):
        for shards in (first, second):
            await shards.take(clock.advance(SECOND), set)
    assert (len(first.held), len(second.held)) == (8, 8)
    await second.release()
    assert len(await first.take(clock.advance(SECOND), set)) == 16


async def test_shard_is_given_up_when_nothing_of_it_is_under_way(
    make_replica: MakeReplica, queue: FakeQueue, clock: ManualClock
) -> None:
    first, second = make_replica(), make_replica()
    queue.answers.clear()
    schedules = [f"s{number}" for number in range(100)]
    for schedule_id in schedules:
        await first.create(schedule_id, EVERY_SECOND)
    assert len({shard("default", schedule_id) for schedule_id in schedules}) == 16
    clock.advance(SECOND)
    await first.fire_due()
    await first.send()
    await second.handover.step()
    clock.advance(SECOND)
    await first.fire_due()
    await first.send()
    assert shares([first, second]) == [16, 0]
    assert await first.query("SELECT count(DISTINCT shard) FROM scheduler.outbox WHERE sent_at IS NULL") == 8
    queue.answers.set()
    await first.settle(len(first.window))
    await a_round(clock, [first, second])
    assert shares([first, second]) == [8, 8]
    await second.hand_over()
    assert len(queue.arrivals) == len(queue.tasks) == 200


async def test_fires_stay_in_order_and_single_while_shards_move(
    make_replica: MakeReplica, queue: FakeQueue, clock: ManualClock
) -> None:
    replicas = [make_replica(window=20)]
    for number in range(40):
        await replicas[0].create(f"s{number}", EVERY_SECOND)
    clock.advance(10 * SECOND)
    await replicas[0].fire_due()
    for _ in range(4):
        replicas.append(make_replica(window=20))
        await a_round(clock, replicas)
        for replica in replicas:
            await replica.settle(len(replica.window))
    await replicas.pop(0).close()
    while await replicas[0].waiting():
        await a_round(clock, replicas)
        for replica in replicas:
            await replica.settle(len(replica.window))
    assert len(queue.arrivals) == len(set(queue.arrivals)) == 400
    arrived = sorted(queue.arrivals, key=lambda fire_id: fire_id.split(".")[0])
    for schedule_id, fires in groupby(arrived, lambda fire_id: fire_id.split(".")[0]):
        in_order = list(fires)
        assert in_order == sorted(in_order), schedule_id
