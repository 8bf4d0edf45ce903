"""max_runs: never more than that reach the queue, and after them the schedule is disabled."""

import asyncio
import random
from contextlib import suppress
from datetime import timedelta

import pytest
from batonpass.queue.v1 import intake_service_pb2 as pb

from scheduler_service.app.queue_client import QueueUnavailable
from scheduler_service.domain.catch_up import CatchUp
from scheduler_service.domain.errors import RunsUsedUp
from scheduler_service.domain.events import Event
from scheduler_service.domain.fire import Disposition
from scheduler_service.domain.overlap import Overlap
from scheduler_service.domain.schedule import Schedule
from scheduler_service.domain.spec import CronSpec, EventSpec
from service_kit.clock import ManualClock
from tests.integration.scheduler.conftest import MakeReplica
from tests.integration.scheduler.replica import ANN, Replica, at, definition
from tests.support.fake_queue import FakeQueue

MINUTE = timedelta(minutes=1)
MINUTELY = CronSpec("* * * * *")
FIRED, PAUSED = Disposition.FIRED, Disposition.PAUSED


async def get(replica: Replica) -> Schedule:
    return await replica.schedules.get(ANN, "a")


async def minute(replica: Replica, clock: ManualClock) -> None:
    clock.advance(MINUTE)
    await replica.fire_due()


async def publish(replica: Replica, event_id: str) -> None:
    event = Event(
        namespace="default",
        source="s",
        event_id=event_id,
        type="webhook.received",
        subject="",
        time=at("00:00"),
        data=b"",
    )
    await replica.publisher.publish(event, "ann")


def skip(task: pb.DueTask) -> pb.DueTaskVerdict:
    return pb.DueTaskVerdict(verdict=pb.VERDICT_SKIPPED_OVERLAP, blocking_task_id="other")


async def test_schedule_is_disabled_with_the_verdict_of_its_last_run(
    replica: Replica, clock: ManualClock
) -> None:
    await replica.create("a", definition(MINUTELY, max_runs=2))
    await minute(replica, clock)
    await replica.hand_over()
    assert ((await get(replica)).enabled, (await get(replica)).stats.run_count) == (True, 1)
    await minute(replica, clock)
    assert (await get(replica)).enabled
    await replica.hand_over()
    done = await get(replica)
    assert (done.enabled, done.note, done.note_actor) == (False, "reached max_runs = 2", "scheduler")
    assert (done.next_fire, done.stats.run_count, done.generation) == (None, 2, 2)
    (row,) = await replica.rows("SELECT action, detail FROM scheduler.actions WHERE actor = 'scheduler'")
    assert tuple(row) == ("disable", "reached max_runs = 2")


async def test_run_on_its_way_is_not_given_twice(replica: Replica, clock: ManualClock) -> None:
    """The queue is away: what comes due meanwhile is told, not fired."""
    await replica.create("a", definition(MINUTELY, max_runs=1))
    for _ in range(3):
        await minute(replica, clock)
    fires = await replica.fires("a")
    assert [fire.disposition for fire in fires] == [Disposition.PENDING, PAUSED, PAUSED]
    assert fires[1].detail == "max_runs = 1: every run is used or on its way"
    assert await replica.waiting() == 1


async def test_run_that_the_queue_keeps_out_is_given_back(
    replica: Replica, clock: ManualClock, queue: FakeQueue
) -> None:
    await replica.create("a", definition(MINUTELY, max_runs=1, overlap=Overlap.SKIP))
    queue.judge = skip
    await minute(replica, clock)
    await replica.hand_over()
    assert ((await get(replica)).enabled, (await get(replica)).stats.run_count) == (True, 0)
    queue.judge = lambda _: pb.DueTaskVerdict(verdict=pb.VERDICT_CREATED)
    await minute(replica, clock)
    await replica.hand_over()
    assert not (await get(replica)).enabled
    assert [fire.disposition for fire in await replica.fires("a")] == [Disposition.SKIPPED_OVERLAP, FIRED]


async def test_catching_up_all_stops_at_the_limit(replica: Replica, clock: ManualClock) -> None:
    made = definition(MINUTELY, max_runs=3, catch_up=CatchUp.ALL, overlap=Overlap.BUFFER_ALL)
    await replica.create("a", made)
    clock.advance(10 * MINUTE)
    for _ in range(2):
        await replica.fire_due()
    *fired, paused = await replica.fires("a")
    assert [fire.nominal for fire in fired] == [at("00:01"), at("00:02"), at("00:03")]
    assert (paused.disposition, paused.nominal, paused.last_nominal) == (PAUSED, at("00:04"), at("00:10"))


async def test_events_beyond_the_limit_are_told(replica: Replica) -> None:
    await replica.create("a", definition(EventSpec("webhook.received"), max_runs=2))
    for event_id in ("e1", "e2", "e3"):
        await publish(replica, event_id)
    fires = await replica.fires("a")
    assert sorted(fire.disposition for fire in fires) == [Disposition.PENDING, Disposition.PENDING, PAUSED]
    await replica.hand_over()
    assert not (await get(replica)).enabled


async def test_runs_by_hand_do_not_count(replica: Replica, clock: ManualClock) -> None:
    await replica.create("a", definition(MINUTELY, max_runs=1))
    for _ in range(3):
        await replica.schedules.run(ANN, "a", "", Overlap.ALLOW_ALL)
    await replica.hand_over()
    assert ((await get(replica)).enabled, (await get(replica)).stats.run_count) == (True, 0)
    await minute(replica, clock)
    await replica.hand_over()
    assert not (await get(replica)).enabled
    await replica.schedules.run(ANN, "a", "", Overlap.ALLOW_ALL)
    assert await replica.waiting() == 1


async def test_schedule_without_runs_cannot_be_enabled_until_it_gets_more(
    replica: Replica, clock: ManualClock
) -> None:
    await replica.create("a", definition(MINUTELY, max_runs=1))
    await minute(replica, clock)
    await replica.hand_over()
    with pytest.raises(RunsUsedUp):
        await replica.schedules.enable(ANN, "a", "")
    await replica.schedules.update(ANN, "a", lambda _: definition(MINUTELY, max_runs=2))
    enabled, _ = await replica.schedules.enable(ANN, "a", "")
    assert enabled.enabled


async def test_limit_below_what_has_run_disables_at_once(replica: Replica, clock: ManualClock) -> None:
    await replica.create("a", definition(MINUTELY))
    for _ in range(2):
        await minute(replica, clock)
    await replica.hand_over()
    changed = await replica.schedules.update(ANN, "a", lambda _: definition(MINUTELY, max_runs=2))
    assert (changed.enabled, changed.note) == (False, "reached max_runs = 2")


async def test_limit_set_later_counts_what_is_on_its_way(replica: Replica, clock: ManualClock) -> None:
    await replica.create("a", definition(MINUTELY))
    await minute(replica, clock)
    await replica.schedules.update(ANN, "a", lambda _: definition(MINUTELY, max_runs=1))
    await minute(replica, clock)
    assert [fire.disposition for fire in await replica.fires("a")] == [Disposition.PENDING, PAUSED]
    await replica.hand_over()
    assert not (await get(replica)).enabled


async def test_incarnation_before_takes_no_run(replica: Replica, clock: ManualClock) -> None:
    await replica.create("a", definition(MINUTELY, max_runs=1))
    await minute(replica, clock)
    await replica.rows("UPDATE scheduler.outbox SET sent_at = $1", clock.now())
    await replica.schedules.delete(ANN, "a")
    await replica.create("a", definition(MINUTELY, max_runs=1))
    await minute(replica, clock)
    assert await replica.waiting() == 2


@pytest.mark.parametrize("seed", range(3))
async def test_no_interleaving_makes_more_runs_than_allowed(
    make_replica: MakeReplica, clock: ManualClock, queue: FakeQueue, seed: int
) -> None:
    """Replicas plan, publish, send and settle side by side while the queue keeps some out."""
    chance, most = random.Random(seed), 5
    replicas = [make_replica() for _ in range(3)]
    await replicas[0].create("a", definition(MINUTELY, max_runs=most, overlap=Overlap.ALLOW_ALL))
    await replicas[0].create("e", definition(EventSpec("webhook.received"), max_runs=most))
    queue.judge = lambda task: (
        skip(task) if chance.random() < 0.4 else pb.DueTaskVerdict(verdict=pb.VERDICT_CREATED)
    )

    async def work(replica: Replica, number: int) -> None:
        for turn in range(12):
            if chance.random() < 0.5:
                clock.advance(MINUTE)
            match chance.randrange(4):
                case 0 | 1:
                    await replica.due.step()
                case 2:
                    await publish(replica, f"{number}/{turn}")
                case _:
                    # The clock may have gone far while verdicts were on their way.
                    with suppress(QueueUnavailable):
                        await replica.handover.step()
                    await replica.settling.step()

    await asyncio.gather(*(work(replica, number) for number, replica in enumerate(replicas)))
    for replica in replicas[1:]:
        await replica.close()
    for _ in range(3 * most):
        clock.advance(MINUTE)
        await replicas[0].fire_due()
        await publish(replicas[0], f"last/{clock.now()}")
        await replicas[0].hand_over()
    for schedule_id in ("a", "e"):
        accepted = [task for task in queue.tasks.values() if task.schedule_id == schedule_id]
        done = await replicas[0].schedules.get(ANN, schedule_id)
        assert len(accepted) == done.stats.run_count == most
        assert not done.enabled
