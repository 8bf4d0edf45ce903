"""Replicas of the scheduler on one database, and a fake queue."""

from collections.abc import AsyncIterator, Callable

import pytest

from service_kit.clock import ManualClock
from tests.integration.scheduler.replica import Replica
from tests.support.fake_queue import FakeQueue

MakeReplica = Callable[..., Replica]


@pytest.fixture
async def queue() -> AsyncIterator[FakeQueue]:
    fake = await FakeQueue().start()
    yield fake
    fake.answers.set()
    await fake.stop()


@pytest.fixture
async def make_replica(
    scheduler_database_url: str, clock: ManualClock, queue: FakeQueue
) -> AsyncIterator[MakeReplica]:
    made: list[Replica] = []

    def make(window: int = 2000) -> Replica:
        made.append(Replica(scheduler_database_url, clock, queue.address, window))
        return made[-1]

    yield make
    for replica in made:
        await replica.close()


@pytest.fixture
def replica(make_replica: MakeReplica) -> Replica:
    return make_replica()
