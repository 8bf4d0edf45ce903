"""The hand-over, with a queue on the other side of a real stream."""

import asyncio
from datetime import timedelta
from itertools import groupby
from typing import Any

import asyncpg
import pytest
import structlog
from batonpass.queue.v1 import intake_service_pb2 as pb
from batonpass.queue.v1 import task_pb2

from scheduler_service.app.queue_client import QueueUnavailable
from scheduler_service.domain.catch_up import CatchUp
from scheduler_service.domain.fire import Disposition
from scheduler_service.domain.overlap import Overlap
from scheduler_service.domain.spec import CronSpec, IntervalSpec
from service_kit.clock import ManualClock
from service_kit.errors import DatabaseUnavailable
from tests.integration.scheduler.conftest import MakeReplica
from tests.integration.scheduler.replica import ANN, Replica, at, definition
from tests.support.fake_queue import FakeQueue

MINUTELY = CronSpec("* * * * *")
MINUTE = timedelta(minutes=1)


def every_second(overlap: Overlap = Overlap.BUFFER_ALL) -> object:
    return definition(IntervalSpec(timedelta(seconds=1)), catch_up=CatchUp.ALL, overlap=overlap)


async def make_fires(replica: Replica, clock: ManualClock, count: int = 1, schedules: int = 1) -> None:
    """`count` fires of each of the schedules s0, s1, ..."""
    for number in range(schedules):
        await replica.create(f"s{number}", every_second())  # type: ignore[arg-type]
    clock.advance(timedelta(seconds=count))
    await replica.fire_due()


async def dispositions(replica: Replica) -> list[Disposition]:
    return [fire.disposition for fire in await replica.fires("s0")]


def first_arrivals(queue: FakeQueue) -> list[str]:
    return list(dict.fromkeys(queue.arrivals))


async def test_fire_becomes_the_task_of_its_id(
    replica: Replica, queue: FakeQueue, clock: ManualClock
) -> None:
    await replica.create("a", definition(MINUTELY, payload=b"{}", overlap=Overlap.DEFAULT))
    clock.advance(MINUTE)
    await replica.fire_due()
    clock.advance(timedelta(seconds=2))
    await replica.hand_over()
    (fire,) = await replica.fires("a")
    assert (fire.disposition, fire.settled_at) == (Disposition.FIRED, at("00:01:02"))
    task = queue.tasks[fire.fire_id]
    assert (task.namespace, task.schedule_id, task.trigger_depth) == ("default", "a", 0)
    assert task.overlap_policy == task_pb2.OVERLAP_POLICY_SKIP
    assert (task.template.handler, task.template.payload) == ("name:work", b"{}")
    assert task.nominal_time.ToJsonString() == "2026-01-01T00:01:00Z"
    assert await replica.waiting() == 0


async def test_verdicts_that_keep_a_fire_out_are_told(
    replica: Replica, queue: FakeQueue, clock: ManualClock
) -> None:
    verdicts = iter(
        [
            pb.DueTaskVerdict(verdict=pb.VERDICT_SKIPPED_OVERLAP, blocking_task_id="other"),
            pb.DueTaskVerdict(verdict=pb.VERDICT_REJECTED, reason="too large"),
        ]
    )
    queue.judge = lambda _: next(verdicts)
    await make_fires(replica, clock, count=2)
    with structlog.testing.capture_logs() as records:
        await replica.hand_over()
    fires = await replica.fires("s0")
    assert [(fire.disposition, fire.detail) for fire in fires] == [
        (Disposition.SKIPPED_OVERLAP, "other"),
        (Disposition.REJECTED, "too large"),
    ]
    (warning,) = [record for record in records if record["log_level"] == "warning"]
    assert (warning["schedule_id"], warning["fire_id"], warning["reason"]) == (
        "s0", fires[1].fire_id, "too large",
    )  # fmt: skip
    counted = {"disposition": "REJECTED"}
    assert replica.registry.get_sample_value("batonpass_verdicts_total", counted) == 1


async def test_verdict_is_settled_with_the_outbox_or_not_at_all(
    replica: Replica, queue: FakeQueue, clock: ManualClock, scheduler_database_url: str
) -> None:
    """A ledger that cannot be written keeps the parcel in the outbox, and the verdict in memory."""
    await make_fires(replica, clock)
    await replica.send()
    await asyncio.wait_for(replica.signals.verdicts.wait(), 10)
    owner = await asyncpg.connect(scheduler_database_url)
    await owner.execute("ALTER TABLE scheduler.fires ADD CONSTRAINT no_room CHECK (disposition <> 2)")
    with pytest.raises(asyncpg.CheckViolationError):
        await replica.settling.step()
    assert await replica.waiting() == 1
    await owner.execute("ALTER TABLE scheduler.fires DROP CONSTRAINT no_room")
    await owner.close()
    assert await replica.settling.step() == 0.0
    assert await replica.waiting() == 0
    assert await dispositions(replica) == [Disposition.FIRED]


async def test_queue_that_dies_before_its_verdict_is_sent_the_task_again(
    replica: Replica, queue: FakeQueue, clock: ManualClock
) -> None:
    queue.answers.clear()
    await make_fires(replica, clock, count=3)
    await replica.send()
    await queue.got(3)
    await queue.stop()
    await asyncio.wait_for(broken(replica), 10)
    assert await replica.waiting() == 3
    queue.answers.set()
    await queue.start()
    await reconnected(replica)
    await replica.hand_over()
    assert len(queue.tasks) == 3
    assert len(queue.arrivals) == 6
    assert await dispositions(replica) == [Disposition.FIRED] * 3


async def broken(replica: Replica) -> None:
    """Returns when the hand-over has noticed the end of its stream."""
    while True:
        await replica.signals.outbox.wait()
        replica.signals.outbox.clear()
        try:
            await replica.handover.step()
        except QueueUnavailable:
            return


async def reconnected(replica: Replica) -> None:
    """gRPC waits a moment before it tries an address again that refused."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await replica.send()
            except QueueUnavailable:
                continue


async def test_scheduler_that_dies_before_the_verdict_is_followed_by_one_that_sends_again(
    make_replica: MakeReplica, queue: FakeQueue, clock: ManualClock
) -> None:
    first = make_replica()
    queue.answers.clear()
    await make_fires(first, clock, count=3)
    await first.send()
    await queue.got(3)
    await first.close()
    queue.answers.set()
    second = make_replica()
    await second.hand_over()
    assert len(queue.tasks) == 3
    assert await dispositions(second) == [Disposition.FIRED] * 3


async def test_lost_verdicts_are_asked_for_again(
    replica: Replica, queue: FakeQueue, clock: ManualClock
) -> None:
    queue.lose = 2
    await make_fires(replica, clock, count=3)
    await replica.send()
    await replica.settle(1)
    assert await replica.waiting() == 2
    clock.advance(timedelta(seconds=31))
    with pytest.raises(QueueUnavailable, match="no verdict"):
        await replica.handover.step()
    await replica.hand_over()
    assert await dispositions(replica) == [Disposition.FIRED] * 3
    assert len(queue.tasks) == 3


async def test_verdict_that_comes_twice_changes_nothing(
    replica: Replica, queue: FakeQueue, clock: ManualClock
) -> None:
    queue.twice = True
    await make_fires(replica, clock, count=50)
    await replica.hand_over()
    await make_fires_of_nothing(replica)
    assert await dispositions(replica) == [Disposition.FIRED] * 50


async def make_fires_of_nothing(replica: Replica) -> None:
    """One more round, in which the repeated verdicts are read."""
    await replica.send()
    while await replica.settling.step() == 0.0:
        pass


async def test_order_within_a_schedule_survives_a_restart_of_either_side(
    make_replica: MakeReplica, queue: FakeQueue, clock: ManualClock
) -> None:
    first = make_replica(window=7)
    await make_fires(first, clock, count=10, schedules=4)
    queue.answers.clear()
    await first.send()
    await queue.got(7)
    await first.close()
    queue.answers.set()
    second = make_replica(window=9)
    await second.send()
    await queue.stop()
    await asyncio.wait_for(broken(second), 10)
    await queue.start()
    await reconnected(second)
    await second.hand_over()
    arrived = sorted(first_arrivals(queue), key=lambda task_id: task_id.split(".")[0])
    for schedule_id, ids in groupby(arrived, lambda task_id: task_id.split(".")[0]):
        in_order = list(ids)
        assert in_order == sorted(in_order), schedule_id
        assert len(in_order) == 10


async def test_window_bounds_what_a_silent_queue_is_sent(
    make_replica: MakeReplica, queue: FakeQueue, clock: ManualClock
) -> None:
    replica = make_replica(window=10)
    queue.answers.clear()
    await make_fires(replica, clock, count=30)
    await replica.send()
    await replica.send()
    await queue.got(10)
    assert len(queue.arrivals) == 10
    assert await replica.query("SELECT count(*) FROM scheduler.outbox WHERE sent_at IS NULL") == 20
    queue.answers.set()
    await replica.hand_over()
    assert len(queue.arrivals) == 30


async def test_one_replica_sends_and_another_takes_over_when_it_stops(
    make_replica: MakeReplica, queue: FakeQueue, clock: ManualClock
) -> None:
    first, second = make_replica(), make_replica()
    await make_fires(first, clock, count=2)
    await first.send()
    await second.send()
    await first.hand_over()
    assert len(queue.arrivals) == 2
    clock.advance(timedelta(seconds=2))
    await second.fire_due()
    assert await second.handover.step() is None
    assert await second.waiting() == 2
    await first.close()
    clock.advance(timedelta(seconds=2))
    await second.hand_over()
    assert await second.waiting() == 0
    assert len(queue.arrivals) == len(queue.tasks) == 4


async def test_parcel_that_another_replica_marked_and_forgot_is_swept_up(
    replica: Replica, queue: FakeQueue, clock: ManualClock
) -> None:
    """A replica that was paused marks a parcel after its shard has gone to another one."""
    await replica.send()
    await make_fires(replica, clock)
    await replica.outbox.take_unsent(range(16), 10, clock.now())
    await replica.send()
    assert queue.arrivals == []
    clock.advance(timedelta(seconds=31))
    await replica.hand_over()
    assert len(queue.arrivals) == 1


async def test_parcels_marked_by_a_statement_without_an_answer_are_sent_at_once(
    replica: Replica, queue: FakeQueue, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection broke after the rows were marked: only the outbox knows of them."""
    await replica.send()
    await make_fires(replica, clock, count=3)
    take = replica.outbox.take_unsent

    async def take_and_lose(*arguments: Any) -> None:
        await take(*arguments)
        raise DatabaseUnavailable("lost", outcome_unknown=True)

    with monkeypatch.context() as patch:
        patch.setattr(replica.outbox, "take_unsent", take_and_lose)
        with pytest.raises(DatabaseUnavailable):
            await replica.send()
    await replica.hand_over()
    assert len(queue.arrivals) == 3


async def test_missing_queue_leaves_fires_pending_and_shards_free(
    make_replica: MakeReplica, queue: FakeQueue, clock: ManualClock
) -> None:
    replica, other = make_replica(), make_replica()
    await queue.stop()
    await make_fires(replica, clock)
    with pytest.raises(QueueUnavailable):
        await replica.handover.step()
    assert replica.locks.held == frozenset()
    assert await dispositions(replica) == [Disposition.PENDING]
    await queue.start()
    await reconnected(other)
    await other.hand_over()
    assert await dispositions(other) == [Disposition.FIRED]


async def test_deleting_takes_back_what_was_never_sent(
    replica: Replica, queue: FakeQueue, clock: ManualClock
) -> None:
    await make_fires(replica, clock, count=3)
    await replica.schedules.delete(ANN, "s0")
    assert await replica.waiting() == 0
    await replica.send()
    fires = await replica.fires("s0")
    assert [fire.disposition for fire in fires] == [Disposition.REJECTED] * 3
    assert "deleted" in fires[0].detail
    assert fires[0].settled_at == clock.now()
    assert queue.arrivals == []


async def test_deleting_leaves_what_is_on_its_way_to_its_verdict(
    make_replica: MakeReplica, queue: FakeQueue, clock: ManualClock
) -> None:
    """The queue may have it already: only its answer can tell."""
    replica = make_replica(window=2)
    queue.answers.clear()
    await make_fires(replica, clock, count=3)
    await replica.send()
    await queue.got(2)
    await replica.schedules.delete(ANN, "s0")
    assert await replica.waiting() == 2
    queue.answers.set()
    await replica.settle(2)
    assert await dispositions(replica) == [Disposition.FIRED, Disposition.FIRED, Disposition.REJECTED]
    assert len(queue.tasks) == 2


async def test_recreated_schedule_does_not_hand_over_what_the_deleted_one_left(
    replica: Replica, queue: FakeQueue, clock: ManualClock
) -> None:
    await make_fires(replica, clock)
    await replica.schedules.delete(ANN, "s0")
    clock.set(at("00:00"))
    await make_fires(replica, clock)
    await replica.hand_over()
    assert len(queue.tasks) == 1
    assert sorted(await dispositions(replica)) == [Disposition.FIRED, Disposition.REJECTED]


async def test_large_payloads_are_cut_into_messages_that_the_queue_takes(
    replica: Replica, queue: FakeQueue, clock: ManualClock
) -> None:
    made = definition(
        IntervalSpec(timedelta(seconds=1)),
        catch_up=CatchUp.ALL,
        overlap=Overlap.ALLOW_ALL,
        payload=b"x" * 262_144,
    )
    await replica.create("s0", made)
    clock.advance(timedelta(seconds=10))
    await replica.fire_due()
    await replica.hand_over()
    assert await dispositions(replica) == [Disposition.FIRED] * 10
