"""How an agent ends."""

import asyncio
from datetime import timedelta

import pytest
from batonpass.queue.v1.task_pb2 import AttemptResult

from tests.support.fake_dispatch import key

pytestmark = pytest.mark.alone

SUCCEEDED = AttemptResult.ATTEMPT_RESULT_SUCCEEDED


async def test_an_idle_agent_says_goodbye(fake, start, worker):
    agent = start(worker)
    session = await fake.session()
    await session.until(lambda: session.credit)
    agent.stop.set()
    await agent.ended()
    assert session.goodbye == "the agent stops"


async def test_running_work_may_end_and_is_reported_before_goodbye(fake, start, worker):
    """What was not started is declined, what comes later too."""
    agent = start(worker, concurrency=1)
    session = await fake.session()
    running, waiting, late = (fake.task("name:wait") for _ in range(3))
    session.offer(running, waiting)
    await session.accept(running)
    agent.stop.set()
    await session.until(lambda: key(waiting) in session.declined)
    session.offer(late)
    await session.until(lambda: key(late) in session.declined)
    assert session.goodbye is None
    worker.go.set()
    await agent.ended()
    assert session.results[key(running)].result == SUCCEEDED
    assert [one.WhichOneof("message") for one in session.received][-1] == "goodbye"
    assert worker.runs == 1


async def test_goodbye_waits_for_results_to_be_confirmed(fake, start, worker):
    fake.acknowledges_results = False
    agent = start(worker)
    session = await fake.session()
    offer = fake.task("name:noop")
    session.offer(offer)
    await session.result(offer)
    agent.stop.set()
    await session.until(lambda: len(session.beats) >= 3)
    assert session.goodbye is None
    session.acknowledge(offer)
    await agent.ended()
    assert session.goodbye is not None


async def test_after_the_grace_work_is_stopped_and_returned(fake, start, worker):
    """It is not reported: Goodbye gives it back with no attempt burnt."""
    agent = start(worker, grace=timedelta(seconds=0.2))
    session = await fake.session()
    offer = fake.task("name:wait")
    session.offer(offer)
    await session.accept(offer)
    agent.stop.set()
    await agent.ended()
    assert worker.stopped.is_set()
    assert session.results == {}
    assert session.goodbye is not None


async def test_no_goodbye_while_something_runs(fake, start, worker, monkeypatch):
    """A function that does not end is still running when the agent has to go: its lease runs out instead."""
    monkeypatch.setattr("batonpass.agent.agent.SHUTDOWN_GRACE", 0.1)
    worker.is_stubborn = True
    agent = start(worker, grace=timedelta(0))
    session = await fake.session()
    offer = fake.task("name:block")
    session.offer(offer)
    await session.accept(offer)
    agent.stop.set()
    await agent.ended()
    assert session.goodbye is None
    worker.release.set()


async def test_a_result_is_delivered_by_a_new_session_during_the_shutdown(fake, start, worker):
    agent = start(worker)
    first = await fake.session()
    offer = fake.task("name:wait")
    first.offer(offer)
    await first.accept(offer)
    agent.stop.set()
    first.end()
    second = await fake.session(2)
    assert second.held == [key(offer)]
    worker.go.set()
    await agent.ended()
    assert second.results[key(offer)].result == SUCCEEDED
    assert second.goodbye is not None
    assert second.credit == 0


async def test_cancelling_the_agent_ends_all_work(fake, start, worker):
    agent = start(worker)
    session = await fake.session()
    offer = fake.task("name:wait")
    session.offer(offer)
    await session.accept(offer)
    agent.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await agent.ended()
    assert worker.stopped.is_set()
