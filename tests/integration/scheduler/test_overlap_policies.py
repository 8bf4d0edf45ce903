"""Overlap policies are the queue's to judge: each fire carries the one that holds for it."""

import pytest

from scheduler_service.domain.overlap import Overlap
from scheduler_service.domain.spec import CronSpec, EventSpec
from service_kit.clock import ManualClock
from tests.integration.scheduler.calls import Api, cron, schedule
from tests.integration.scheduler.replica import ANN, Replica, at, definition
from tests.support.fake_queue import FakeQueue

POLICIES = [policy for policy in Overlap if policy is not Overlap.DEFAULT]


async def sent(replica: Replica, queue: FakeQueue) -> Overlap:
    """The policy of the last task that the queue got."""
    await replica.hand_over()
    return Overlap(queue.tasks[queue.arrivals[-1]].overlap_policy)


@pytest.mark.parametrize("policy", POLICIES)
async def test_fire_by_time_carries_the_policy_of_its_schedule(
    replica: Replica, clock: ManualClock, queue: FakeQueue, policy: Overlap
) -> None:
    await replica.create("a", definition(CronSpec("* * * * *"), overlap=policy))
    clock.set(at("00:01"))
    await replica.fire_due()
    assert await sent(replica, queue) is policy


@pytest.mark.parametrize("policy", POLICIES)
async def test_run_by_hand_carries_the_policy_that_was_asked_for(
    api: Api, replica: Replica, queue: FakeQueue, policy: Overlap
) -> None:
    await api.CreateSchedule(schedule=schedule("a", cron("@daily")))
    await api.RunSchedule(schedule_id="a", overlap_policy=int(policy))
    assert await sent(replica, queue) is policy


async def test_defaults_are_filled_in(
    api: Api, replica: Replica, clock: ManualClock, queue: FakeQueue
) -> None:
    await replica.create("t", definition(CronSpec("* * * * *"), overlap=Overlap.DEFAULT))
    clock.set(at("00:01"))
    await replica.fire_due()
    assert await sent(replica, queue) is Overlap.SKIP
    await replica.create("e", definition(EventSpec("webhook.received"), overlap=Overlap.DEFAULT))
    await api.PublishEvent(event={"id": "1", "source": "s", "type": "webhook.received"})
    assert await sent(replica, queue) is Overlap.BUFFER_ALL
    await replica.schedules.run(ANN, "t", "", Overlap.ALLOW_ALL)
    assert await sent(replica, queue) is Overlap.ALLOW_ALL
