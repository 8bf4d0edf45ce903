"""pause_on_failure: so many dead tasks in a row, and the schedule is disabled with the last of them."""

import random
from datetime import timedelta

import pytest
from batonpass.queue.v1 import intake_service_pb2 as pb
from batonpass.queue.v1 import task_pb2

from scheduler_service.domain.overlap import Overlap
from scheduler_service.domain.schedule import Schedule
from scheduler_service.domain.spec import CronSpec
from service_kit.clock import ManualClock
from tests.integration.scheduler.replica import ANN, Replica, definition
from tests.support.fake_queue import FakeQueue, outcome

MINUTE = timedelta(minutes=1)
MINUTELY = CronSpec("* * * * *")
STATES = {
    "d": task_pb2.TASK_STATE_DEAD,
    "s": task_pb2.TASK_STATE_SUCCEEDED,
    "c": task_pb2.TASK_STATE_CANCELLED,
    "x": task_pb2.TASK_STATE_EXPIRED,
}


async def fired(replica: Replica, clock: ManualClock, count: int) -> list[str]:
    """Task ids of so many fires by time, oldest first, whether the schedule is disabled meanwhile or not."""
    for _ in range(count):
        clock.advance(MINUTE)
        await replica.fire_due()
    return [fire.fire_id for fire in await replica.fires("a")][-count:]


async def apply(replica: Replica, cursor: str, tasks: list[str], states: str) -> None:
    """One response of the feed with the ends of those tasks, in that order."""
    ends = [
        outcome(task, schedule_id="a", state=STATES[state]) for task, state in zip(tasks, states, strict=True)
    ]
    assert await replica.outcomes.apply(pb.WatchOutcomesResponse(outcomes=ends, cursor=cursor))


async def follow(replica: Replica) -> None:
    for _ in range(2):
        await replica.outcomes.step()


async def get(replica: Replica) -> Schedule:
    return await replica.schedules.get(ANN, "a")


async def test_failures_in_a_row_disable_the_schedule_with_a_note(
    replica: Replica, clock: ManualClock, queue: FakeQueue
) -> None:
    await replica.create("a", definition(MINUTELY, pause_on_failure=3))
    tasks = await fired(replica, clock, 3)
    await follow(replica)
    await apply(replica, "1", tasks[:2], "dd")
    assert ((await get(replica)).enabled, (await get(replica)).stats.failures_in_row) == (True, 2)
    await apply(replica, "2", tasks[2:], "d")
    paused = await get(replica)
    assert (paused.enabled, paused.note, paused.note_actor) == (
        False, "paused after 3 failures in a row", "scheduler",
    )  # fmt: skip
    (row,) = await replica.rows("SELECT action, detail FROM scheduler.actions WHERE actor = 'scheduler'")
    assert tuple(row) == ("disable", "paused after 3 failures in a row")


async def test_enabling_begins_to_count_anew(replica: Replica, clock: ManualClock, queue: FakeQueue) -> None:
    await replica.create("a", definition(MINUTELY, pause_on_failure=2))
    tasks = await fired(replica, clock, 3)
    await follow(replica)
    await apply(replica, "1", tasks[:2], "dd")
    assert not (await get(replica)).enabled
    enabled, _ = await replica.schedules.enable(ANN, "a", "fixed")
    assert enabled.stats.failures_in_row == 0
    await apply(replica, "2", tasks[2:], "d")
    assert (await get(replica)).enabled


async def test_runs_by_hand_and_repeats_are_neutral(
    replica: Replica, clock: ManualClock, queue: FakeQueue
) -> None:
    await replica.create("a", definition(MINUTELY, pause_on_failure=2))
    hand = [(await replica.schedules.run(ANN, "a", "", Overlap.ALLOW_ALL)).fire_id for _ in range(3)]
    (task,) = await fired(replica, clock, 1)
    await follow(replica)
    await apply(replica, "1", [task, *hand, task], "dsddd")
    assert ((await get(replica)).enabled, (await get(replica)).stats.failures_in_row) == (True, 1)


async def test_schedule_that_does_not_ask_for_it_goes_on(
    replica: Replica, clock: ManualClock, queue: FakeQueue
) -> None:
    await replica.create("a", definition(MINUTELY))
    tasks = await fired(replica, clock, 4)
    await follow(replica)
    await apply(replica, "1", tasks, "dddd")
    assert ((await get(replica)).enabled, (await get(replica)).stats.failures_in_row) == (True, 4)


@pytest.mark.parametrize("seed", range(4))
async def test_row_of_failures_is_the_same_however_outcomes_are_grouped(
    replica: Replica, clock: ManualClock, queue: FakeQueue, seed: int
) -> None:
    chance = random.Random(seed)
    most = 3
    await replica.create("a", definition(MINUTELY, pause_on_failure=most))
    states = "".join(chance.choice("dddscx") for _ in range(40))
    tasks = await fired(replica, clock, len(states))
    await follow(replica)
    place, row, cursor = 0, 0, 0
    while place < len(states):
        group = states[place : place + chance.randint(1, 6)]
        reached = False
        for state in group:
            row = row + 1 if state == "d" else 0 if state == "s" else row
            reached |= row >= most
        cursor += 1
        await apply(replica, str(cursor), tasks[place : place + len(group)], group)
        place += len(group)
        found = await get(replica)
        assert (found.enabled, found.stats.failures_in_row) == (not reached, row)
        if reached:
            await replica.schedules.enable(ANN, "a", "")
            row = 0
