"""Outcomes that come back: statistics once, events once, whatever the feed and the replicas do."""

import asyncio
import json
from datetime import timedelta

import pytest
from batonpass.queue.v1 import intake_service_pb2 as pb
from batonpass.queue.v1 import task_pb2

from scheduler_service.app.queue_client import QueueUnavailable
from scheduler_service.domain.events import MAX_DEPTH
from scheduler_service.domain.fire import Disposition
from scheduler_service.domain.overlap import Overlap
from scheduler_service.domain.schedule import Stats
from scheduler_service.domain.spec import CronSpec, EventSpec
from service_kit.caller import Caller
from service_kit.clock import ManualClock
from tests.integration.scheduler.conftest import MakeReplica
from tests.integration.scheduler.replica import ANN, Replica, at, definition
from tests.support.fake_queue import FakeQueue, outcome

SUCCEEDED, DEAD = task_pb2.TASK_STATE_SUCCEEDED, task_pb2.TASK_STATE_DEAD
CANCELLED, EXPIRED = task_pb2.TASK_STATE_CANCELLED, task_pb2.TASK_STATE_EXPIRED


async def run(replica: Replica, schedule_id: str = "a") -> str:
    """Fires now; returns the task's id."""
    return (await replica.schedules.run(ANN, schedule_id, "", Overlap.ALLOW_ALL)).fire_id


async def follow(replica: Replica, cursor: str) -> None:
    """Steps until outcomes are applied up to `cursor`."""
    async with asyncio.timeout(10):
        while await stored_cursor(replica) != cursor:
            await replica.outcomes.step()


async def stored_cursor(replica: Replica) -> str:
    return str(await replica.query("SELECT cursor FROM scheduler.cursors"))


async def stats(replica: Replica, schedule_id: str = "a") -> Stats:
    return (await replica.schedules.get(ANN, schedule_id)).stats


async def test_statistics_count_tasks_that_ended(replica: Replica, queue: FakeQueue) -> None:
    await replica.create("a", definition(CronSpec("@daily")))
    ids = [await run(replica) for _ in range(5)]
    await queue.end(
        outcome(ids[0], schedule_id="a", seconds=2, ended=at("01:00")),
        outcome(ids[1], schedule_id="a", seconds=4, ended=at("02:00")),
        outcome(ids[2], schedule_id="a", seconds=60, ended=at("01:30"), state=DEAD),
        outcome(ids[3], schedule_id="a", state=CANCELLED, ended=at("00:30")),
        outcome(ids[4], schedule_id="a", state=EXPIRED, ended=at("00:30")),
    )
    await follow(replica, "5")
    found = await stats(replica)
    assert (found.execution_count, found.failure_count, found.success_count) == (5, 1, 2)
    assert found.average_duration == timedelta(seconds=3)
    assert found.last_execute_at == at("01:59:56")


async def test_redrive_is_no_further_execution(replica: Replica, queue: FakeQueue) -> None:
    await replica.create("a", definition(CronSpec("@daily")))
    task = await run(replica)
    await queue.end(
        outcome(task, schedule_id="a", state=DEAD), outcome(task, schedule_id="a", chain=2, ended=at("09:00"))
    )
    await follow(replica, "2")
    found = await stats(replica)
    assert (found.execution_count, found.failure_count, found.success_count) == (1, 1, 0)
    assert found.last_execute_at == at("08:59:58")


async def test_outcomes_delivered_twice_count_once(replica: Replica, queue: FakeQueue) -> None:
    queue.twice = True
    await replica.create("a", definition(CronSpec("@daily")))
    await queue.end(*[outcome(await run(replica), schedule_id="a") for _ in range(5)])
    await follow(replica, "5")
    await replica.outcomes.step()
    assert (await stats(replica)).execution_count == 5


async def test_outcomes_of_a_feed_that_starts_again_count_once(replica: Replica, queue: FakeQueue) -> None:
    """The cursor was lost, the effects were not: each (task, chain) still counts once."""
    await replica.create("a", definition(CronSpec("@daily")))
    await queue.end(*[outcome(await run(replica), schedule_id="a") for _ in range(3)])
    await follow(replica, "3")
    await replica.rows("UPDATE scheduler.cursors SET cursor = ''")
    await follow(replica, "3")
    assert (await stats(replica)).execution_count == 3


async def test_one_batch_with_repeats_counts_each_once(replica: Replica, queue: FakeQueue) -> None:
    await replica.create("a", definition(CronSpec("@daily")))
    task = await run(replica)
    await replica.outcomes.step()
    await replica.outcomes.step()
    repeated = [outcome(task, schedule_id="a"), outcome(task, schedule_id="a")]
    assert await replica.outcomes.apply(pb.WatchOutcomesResponse(outcomes=repeated, cursor="9"))
    assert (await stats(replica)).execution_count == 1


async def test_two_followers_apply_each_outcome_once(
    make_replica: MakeReplica, queue: FakeQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both believe to hold the lock: the cursor alone keeps them apart."""
    replicas = [make_replica(), make_replica()]
    await replicas[0].create("a", definition(CronSpec("@daily")))
    for each in replicas:
        monkeypatch.setattr(each.locks, "try_hold", believe)
    tasks = [await run(replicas[0]) for _ in range(20)]
    following = [asyncio.create_task(follow(each, "20")) for each in replicas]
    for task in tasks:
        await queue.end(outcome(task, schedule_id="a"))
    await asyncio.gather(*following)
    assert (await stats(replicas[0])).execution_count == 20


async def believe(_: str) -> bool:
    return True


async def test_second_follower_waits_for_the_first(make_replica: MakeReplica, queue: FakeQueue) -> None:
    first, second = make_replica(), make_replica()
    await first.outcomes.step()
    assert await second.outcomes.step() is None
    assert len(queue.watches) == 1
    await first.close()
    await second.outcomes.step()
    await queue.watched(2)


async def test_effects_and_cursor_are_one_transaction(
    replica: Replica, queue: FakeQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    await replica.create("a", definition(CronSpec("@daily")))
    await queue.end(outcome(await run(replica), schedule_id="a"))

    async def fail(*_: object) -> None:
        raise OSError("killed before the cursor moved")

    with monkeypatch.context() as patch:
        patch.setattr("scheduler_service.store.outcomes.move_cursor", fail)
        with pytest.raises(Exception, match=r"killed|not reachable"):
            await follow(replica, "1")
    assert (await stats(replica)).execution_count == 0
    replica.outcomes.close()
    await follow(replica, "1")
    assert (await stats(replica)).execution_count == 1


async def test_counts_go_to_the_incarnation_that_fired(replica: Replica, queue: FakeQueue) -> None:
    await replica.create("a", definition(CronSpec("@daily")))
    task = await run(replica)
    await replica.hand_over()
    await replica.schedules.delete(ANN, "a")
    await replica.create("a", definition(CronSpec("@daily")))
    await queue.end(outcome(task, schedule_id="a"))
    await follow(replica, "1")
    assert (await stats(replica)).execution_count == 0


async def test_end_of_a_task_triggers_who_listens_once(replica: Replica, queue: FakeQueue) -> None:
    queue.twice = True
    await replica.create("done", definition(EventSpec("task.completed")))
    await replica.create("dead", definition(EventSpec("error.critical")))
    await queue.end(
        outcome("t1"), outcome("t2", state=DEAD), outcome("t3", state=CANCELLED), outcome("t1", chain=2)
    )
    await follow(replica, "4")
    done, dead = await replica.fires("done"), await replica.fires("dead")
    assert [fire.event for fire in done] == [
        "batonpass default/default/t1/1",
        "batonpass default/default/t1/2",
    ]
    assert [fire.event for fire in dead] == ["batonpass default/default/t2/1"]
    await replica.hand_over()
    task = queue.tasks[dead[0].fire_id]
    assert task.trigger_depth == 1
    payload = json.loads(task.template.payload)
    assert (payload["task_id"], payload["state"], payload["duration_ms"]) == ("t2", "DEAD", 2000)


async def test_nothing_is_emitted_or_asked_for_while_nobody_listens(
    replica: Replica, queue: FakeQueue
) -> None:
    await replica.create("other", definition(EventSpec("webhook.received")))
    await replica.create("off", definition(EventSpec("task.completed")), enabled=False)
    await queue.end(outcome("t1"))
    await follow(replica, "1")
    assert [watch.all_tasks for watch in queue.watches] == [False]
    assert await replica.query("SELECT count(*) FROM scheduler.events") == 0


async def test_listener_elsewhere_does_not_make_events_here(replica: Replica, queue: FakeQueue) -> None:
    await replica.create("a", definition(EventSpec("task.completed")), caller=Caller("other", "ann"))
    await queue.end(outcome("t1"))
    await follow(replica, "1")
    assert await replica.query("SELECT count(*) FROM scheduler.events") == 0


async def test_task_that_ends_right_after_a_listener_came_is_not_passed_over(
    replica: Replica, queue: FakeQueue, clock: ManualClock
) -> None:
    """The feed without all tasks may be ahead: its cursor is refused from the moment somebody listens."""
    await replica.outcomes.step()
    await queue.watched(1)
    await replica.create("done", definition(EventSpec("task.completed")))
    await queue.end(outcome("t1", ended=clock.now() + timedelta(seconds=1)))
    await follow(replica, "1")
    assert [watch.all_tasks for watch in queue.watches] == [False, True]
    assert len(await replica.fires("done")) == 1


async def test_cursor_of_a_feed_that_leaves_tasks_out_is_refused_once_somebody_listens(
    replica: Replica, queue: FakeQueue
) -> None:
    await replica.outcomes.step()
    await replica.outcomes.step()
    await replica.create("done", definition(EventSpec("task.completed")))
    assert not await replica.outcomes.apply(pb.WatchOutcomesResponse(cursor="5"))
    assert await stored_cursor(replica) == "0"


async def test_all_tasks_are_asked_for_no_longer_when_the_last_listener_goes(
    replica: Replica, queue: FakeQueue
) -> None:
    await replica.create("done", definition(EventSpec("task.completed")))
    await replica.outcomes.step()
    await replica.schedules.disable(ANN, "done", "")
    await queue.watched(1)
    async with asyncio.timeout(10):
        while len(queue.watches) < 2:
            await replica.outcomes.step()
    assert [watch.all_tasks for watch in queue.watches] == [True, False]


async def test_task_that_ended_before_the_listener_came_does_not_trigger_it(
    replica: Replica, queue: FakeQueue, clock: ManualClock
) -> None:
    await queue.end(outcome("t1", ended=clock.now()))
    clock.advance(timedelta(minutes=1))
    await replica.create("done", definition(EventSpec("task.completed")))
    await follow(replica, "1")
    assert await replica.fires("done") == []


async def test_editing_a_listener_loses_no_event(
    replica: Replica, queue: FakeQueue, clock: ManualClock
) -> None:
    await replica.create("done", definition(EventSpec("task.completed")))
    clock.advance(timedelta(minutes=1))
    await queue.end(outcome("t1", ended=clock.now()))
    clock.advance(timedelta(minutes=1))
    edited = definition(EventSpec("task.completed"), handler="name:other")
    await replica.schedules.update(ANN, "done", lambda _: edited)
    await follow(replica, "1")
    assert len(await replica.fires("done")) == 1


async def test_chain_of_triggers_is_cut_with_a_record(replica: Replica, queue: FakeQueue) -> None:
    """A schedule that listens to its own end."""
    await replica.create("loop", definition(EventSpec("task.completed")))
    await queue.end(outcome("t0"))
    for depth in range(1, MAX_DEPTH + 2):
        await follow(replica, str(depth))
        fire = (await replica.fires("loop"))[-1]
        if depth <= MAX_DEPTH:
            await replica.hand_over()
            task = queue.tasks[fire.fire_id]
            assert task.trigger_depth == depth
            await queue.end(outcome(fire.fire_id, schedule_id="loop", depth=depth))
    fires = await replica.fires("loop")
    dispositions = [fire.disposition for fire in fires]
    assert sorted(dispositions) == [Disposition.FIRED] * MAX_DEPTH + [Disposition.LOOP_CUT]
    (cut,) = (fire for fire in fires if fire.disposition is Disposition.LOOP_CUT)
    assert str(MAX_DEPTH + 1) in cut.detail
    assert await replica.waiting() == 0


async def test_cursor_beyond_retention_goes_on_from_now(replica: Replica, queue: FakeQueue) -> None:
    await replica.create("a", definition(CronSpec("@daily")))
    tasks = [await run(replica) for _ in range(3)]
    await queue.end(outcome(tasks[0], schedule_id="a"))
    await follow(replica, "1")
    replica.outcomes.close()
    await queue.end(outcome(tasks[1], schedule_id="a"))
    queue.kept_from = 2
    await follow(replica, "2")
    await queue.end(outcome(tasks[2], schedule_id="a"))
    await follow(replica, "3")
    assert (await stats(replica)).execution_count == 2
    assert queue.watches[-1].from_now


async def test_follower_survives_a_queue_that_restarts(replica: Replica, queue: FakeQueue) -> None:
    await replica.create("a", definition(CronSpec("@daily")))
    tasks = [await run(replica) for _ in range(2)]
    await queue.end(outcome(tasks[0], schedule_id="a"))
    await follow(replica, "1")
    await queue.stop()
    with pytest.raises(QueueUnavailable):
        await follow(replica, "2")
    await queue.start()
    await queue.end(outcome(tasks[1], schedule_id="a"))
    async with asyncio.timeout(20):
        while await stored_cursor(replica) != "2":
            try:
                await replica.outcomes.step()
            except QueueUnavailable:
                continue
    assert (await stats(replica)).execution_count == 2
