"""The rules of the dispatch protocol, each against a real stream to a fake queue."""

import asyncio

import grpc
import psutil
import pytest
from batonpass.agent.errors import AgentError, Superseded
from batonpass.queue.v1 import dispatch_service_pb2 as pb
from batonpass.queue.v1.task_pb2 import AttemptResult, FailureCategory

from tests.support.fake_dispatch import FakeDispatch, Terms, key

SUCCEEDED = AttemptResult.ATTEMPT_RESULT_SUCCEEDED
FAILED = AttemptResult.ATTEMPT_RESULT_FAILED
CANCELLED = AttemptResult.ATTEMPT_RESULT_CANCELLED


async def test_hello_registers_the_executor(fake, start, worker):
    start(worker, labels={"zone": "a"}, allow_shell=True, concurrency=7, namespace="team")
    session = await fake.session()
    hello = session.hello
    assert hello.executor == "a1"
    assert list(hello.handlers) == ["block", "noop", "wait"]
    assert (hello.allows_shell, hello.allows_http, hello.max_tasks) == (True, False, 7)
    assert dict(hello.labels) == {"zone": "a"}
    assert hello.cpu_count == psutil.cpu_count()
    assert hello.memory_bytes == psutil.virtual_memory().total
    assert len(hello.instance_id) == 36
    assert session.metadata["batonpass-namespace"] == "team"
    assert session.metadata["batonpass-actor"] == "agent:a1"


async def test_an_offer_is_run_and_its_result_reported(fake, start, worker):
    start(worker)
    session = await fake.session()
    offer = fake.task("name:noop")
    session.offer(offer)
    result = await session.result(offer)
    assert (result.result, result.report.exit_code) == (SUCCEEDED, 0)
    assert 0 <= result.report.duration.ToTimedelta().total_seconds() < 5


async def test_credit_covers_the_limit_and_is_granted_anew(fake, start, worker):
    """Without a concurrency of its own the agent takes what the limit allows, whatever runs already."""
    start(worker)
    session = await fake.session()
    await session.until(lambda: session.credit >= 4)
    for _ in range(3):
        offers = [fake.task("name:wait") for _ in range(4)]
        session.offer(*offers)
        for offer in offers:
            await session.accept(offer)
        await session.until(lambda: session.credit >= 4)


async def test_credit_with_a_concurrency_covers_free_slots_and_one_more(fake, start, worker):
    start(worker, concurrency=2)
    session = await fake.session()
    await session.until(lambda: session.credit == 3)
    running = fake.task("name:wait")
    session.offer(running)
    await session.accept(running)
    await session.until(lambda: len(session.beats) >= 2)
    assert session.credit == 2
    worker.go.set()
    await session.result(running)
    await session.until(lambda: session.credit == 3)


async def test_offers_beyond_the_slots_are_declined_in_time(start, worker):
    async with FakeDispatch(Terms(offer_timeout=0.5)) as fake:
        start(worker, concurrency=1, queue=fake.target)
        session = await fake.session()
        first, second = fake.task("name:wait"), fake.task("name:wait")
        session.offer(first, second)
        await session.until(lambda: session.declined)
        assert session.declined == {key(second): "no free slot"}
        assert key(second) not in session.accepted


async def test_a_waiting_offer_starts_when_a_slot_gets_free(fake, start, worker):
    start(worker, concurrency=1)
    session = await fake.session()
    first, second = fake.task("name:wait"), fake.task("name:noop")
    session.offer(first, second)
    await session.accept(first)
    worker.go.set()
    assert (await session.result(second)).result == SUCCEEDED


async def test_long_work_is_accepted_and_quick_work_only_reported(fake, start, worker, monkeypatch):
    monkeypatch.setattr("batonpass.agent.outbox.ACCEPT_DELAY", 0.5)
    start(worker)
    session = await fake.session()
    long, quick = fake.task("name:wait"), fake.task("name:noop")
    session.offer(long, quick)
    await session.accept(long)
    await session.result(quick)
    await session.until(lambda: len(session.beats) >= 2)
    assert key(quick) not in session.accepted


async def test_many_results_go_in_few_messages(fake, start, worker):
    start(worker)
    session = await fake.session()
    offers = [fake.task("name:noop") for _ in range(400)]
    session.offer(*offers)
    await session.until(lambda: len(session.results) == 400)
    assert session.result_messages < 40


async def test_the_same_offer_twice_is_run_once(fake, start, worker):
    start(worker)
    session = await fake.session()
    offer = fake.task("name:wait")
    session.offer(offer)
    session.offer(offer)
    await session.accept(offer)
    worker.go.set()
    await session.result(offer)
    assert worker.runs == 1


async def test_what_nobody_here_runs_is_rejected(fake, start, worker):
    start(worker)
    session = await fake.session()
    for handler in ("name:unknown", "rm -rf /", "http://127.0.0.1:1/"):
        offer = fake.task(handler)
        session.offer(offer)
        result = await session.result(offer)
        assert (result.result, result.category) == (FAILED, FailureCategory.FAILURE_CATEGORY_REJECTED)
        assert handler in result.report.error


async def test_beats_rise_by_one_and_carry_the_load(fake, start, worker):
    start(worker)
    session = await fake.session()
    await session.until(lambda: len(session.beats) >= 3)
    assert session.beats[:3] == [1, 2, 3]
    beat = next(one.heartbeat for one in session.received if one.HasField("heartbeat"))
    assert 0 <= beat.load.cpu_percent <= 100
    assert 0 < beat.load.memory_percent <= 100


async def test_a_revoked_offer_that_was_not_started_is_given_back(fake, start, worker):
    start(worker, concurrency=1)
    session = await fake.session()
    running, waiting = fake.task("name:wait"), fake.task("name:noop")
    session.offer(running, waiting)
    await session.accept(running)
    unknown = fake.task("name:noop")
    session.revoke(waiting, unknown)
    await session.until(lambda: len(session.revoke_acks) == 2)
    assert set(session.revoke_acks) == {key(waiting), key(unknown)}
    worker.go.set()
    await session.result(running)
    assert key(waiting) not in session.results


async def test_a_revoked_offer_that_was_started_is_accepted_again(fake, start, worker):
    start(worker)
    session = await fake.session()
    offer = fake.task("name:wait")
    session.offer(offer)
    await session.accept(offer)
    session.revoke(offer)
    await session.until(lambda: session.accepted.count(key(offer)) == 2)
    assert session.revoke_acks == []


async def test_a_revoked_offer_that_has_ended_is_reported_again(fake, start, worker):
    fake.acknowledges_results = False
    start(worker)
    session = await fake.session()
    offer = fake.task("name:noop")
    session.offer(offer)
    await session.result(offer)
    session.revoke(offer)
    await session.until(lambda: session.result_messages == 2)


async def test_a_cancelled_coroutine_ends_cancelled(fake, start, worker):
    start(worker)
    session = await fake.session()
    offer = fake.task("name:wait")
    session.offer(offer)
    await session.accept(offer)
    session.cancel(offer)
    assert (await session.result(offer)).result == CANCELLED


async def test_a_function_sees_that_it_is_cancelled(fake, start, worker):
    start(worker)
    session = await fake.session()
    offer = fake.task("name:block")
    session.offer(offer)
    await session.accept(offer)
    session.cancel(offer)
    assert (await session.result(offer)).result == CANCELLED


async def test_a_cancelled_offer_is_not_started(fake, start, worker):
    start(worker, concurrency=1)
    session = await fake.session()
    running, waiting = fake.task("name:wait"), fake.task("name:wait")
    session.offer(running, waiting)
    await session.accept(running)
    session.cancel(waiting)
    assert (await session.result(waiting)).result == CANCELLED
    worker.go.set()
    await session.result(running)
    assert worker.runs == 1


async def test_a_stale_attempt_is_stopped_and_not_reported(fake, start, worker):
    start(worker)
    session = await fake.session()
    lost, other = fake.task("name:wait"), fake.task("name:noop")
    session.offer(lost)
    await session.accept(lost)
    session.stale(lost)
    await asyncio.wait_for(worker.stopped.wait(), 10)
    session.offer(other)
    await session.result(other)
    assert key(lost) not in session.results


async def test_the_result_of_a_stale_attempt_is_dropped(fake, start, worker):
    fake.acknowledges_results = False
    start(worker)
    session = await fake.session()
    offer = fake.task("name:noop")
    session.offer(offer)
    await session.result(offer)
    session.stale(offer)
    session.end()
    assert (await fake.session(2)).held == []


async def test_work_goes_on_over_a_broken_stream(fake, start, worker):
    """The same instance names what it runs, says again that it was started, and reports anew."""
    start(worker)
    first = await fake.session()
    offer = fake.task("name:wait")
    first.offer(offer)
    await first.accept(offer)
    first.end()
    second = await fake.session(2)
    assert second.hello.instance_id == first.hello.instance_id
    assert second.held == [key(offer)]
    await second.accept(offer)
    worker.go.set()
    assert (await second.result(offer)).result == SUCCEEDED


async def test_unacknowledged_results_are_sent_again(fake, start, worker):
    fake.acknowledges_results = False
    start(worker)
    first = await fake.session()
    one, two = fake.task("name:noop"), fake.task("name:noop")
    first.offer(one, two)
    await first.result(one)
    await first.result(two)
    first.acknowledge(one)
    first.end()
    second = await fake.session(2)
    assert second.held == [key(two)]
    await second.result(two)
    assert key(one) not in second.results
    second.acknowledge(two)
    second.end()
    assert (await fake.session(3)).held == []


async def test_a_result_that_comes_while_there_is_no_stream_is_sent_later(fake, start, worker):
    start(worker)
    first = await fake.session()
    offer = fake.task("name:wait")
    first.offer(offer)
    await first.accept(offer)
    fake.welcomes = False
    first.end()
    silent = await fake.session(2)
    worker.go.set()
    await asyncio.wait_for(worker.stopped.wait(), 10)
    fake.welcomes = True
    silent.end()
    third = await fake.session(3)
    assert (await third.result(offer)).result == SUCCEEDED


async def test_an_attempt_that_does_not_go_on_is_stopped(fake, start, worker):
    start(worker)
    first = await fake.session()
    offer = fake.task("name:wait")
    first.offer(offer)
    await first.accept(offer)
    fake.keeps = lambda _: False
    first.end()
    second = await fake.session(2)
    assert second.held == [key(offer)]
    await asyncio.wait_for(worker.stopped.wait(), 10)
    assert second.results == {}


async def test_offers_go_with_their_session(fake, start, worker):
    """An offer that was not started before the stream broke belongs to nobody: it is neither listed nor
    run.
    """
    start(worker, concurrency=1)
    first = await fake.session()
    running, waiting = fake.task("name:wait"), fake.task("name:noop")
    first.offer(running, waiting)
    await first.accept(running)
    first.end()
    second = await fake.session(2)
    assert second.held == [key(running)]
    worker.go.set()
    await second.result(running)
    await second.until(lambda: len(second.beats) >= 2)
    assert key(waiting) not in second.results


async def test_a_silent_queue_is_left_while_the_lease_holds(fake, start, worker):
    """Without acknowledged beats the agent looks for another replica, and work goes on if there is one."""
    start(worker)
    first = await fake.session()
    offer = fake.task("name:wait")
    first.offer(offer)
    await first.accept(offer)
    fake.acknowledges_beats = False
    second = await fake.session(2)
    fake.acknowledges_beats = True
    assert second.held == [key(offer)]
    worker.go.set()
    await second.result(offer)


async def test_all_work_stops_when_the_lease_runs_out(start, worker):
    """Nobody answers any more: work ends by itself, is not reported, and the next Hello does not name it."""
    async with FakeDispatch(Terms(heartbeat=0.2, ttl=1.2)) as fake:
        start(worker, queue=fake.target)
        first = await fake.session()
        offers = [fake.task("name:wait"), fake.task("name:block")]
        first.offer(*offers)
        for offer in offers:
            await first.accept(offer)
        began = asyncio.get_running_loop().time()
        fake.acknowledges_beats = fake.welcomes = False
        silent = await fake.session(2)
        await asyncio.wait_for(worker.stopped.wait(), 10)
        assert 0.5 < asyncio.get_running_loop().time() - began < 4
        fake.acknowledges_beats = fake.welcomes = True
        silent.end()
        third = await fake.session(3)
        assert third.held == []
        await third.until(lambda: len(third.beats) >= 2)
        assert third.results == {}


async def test_results_outlive_the_lease(start, worker):
    """A result nobody has superseded still counts: it is offered after the lease as well."""
    async with FakeDispatch(Terms(heartbeat=0.2, ttl=1)) as fake:
        fake.acknowledges_results = False
        start(worker, queue=fake.target)
        first = await fake.session()
        done, hung = fake.task("name:noop"), fake.task("name:wait")
        first.offer(done, hung)
        await first.result(done)
        await first.accept(hung)
        fake.acknowledges_beats = fake.welcomes = False
        silent = await fake.session(2)
        await asyncio.wait_for(worker.stopped.wait(), 10)
        fake.acknowledges_beats = fake.welcomes = True
        silent.end()
        third = await fake.session(3)
        assert third.held == [key(done)]
        await third.result(done)


async def test_no_hello_while_work_without_lease_still_runs(start, worker):
    """A Hello that does not name an attempt gives it to others at once, so it has to wait for a function
    that does not end.
    """
    async with FakeDispatch(Terms(heartbeat=0.2, ttl=1)) as fake:
        start(worker, queue=fake.target)
        first = await fake.session()
        offer = fake.task("name:block")
        worker.is_stubborn = True
        first.offer(offer)
        await first.accept(offer)
        fake.acknowledges_beats = fake.welcomes = False
        silent = await fake.session(2)
        await asyncio.wait_for(asyncio.to_thread(worker.saw_cancel.wait, 10), 10)
        silent.end()
        fake.acknowledges_beats = fake.welcomes = True
        await fake.until(lambda: silent.over)
        # Several back-offs long: whoever wanted to connect would have done it by then.
        await asyncio.sleep(1)
        assert len(fake.sessions) == 2
        worker.release.set()
        assert (await fake.session(3)).held == []


async def test_drain_moves_the_agent_to_another_replica(fake, start, worker):
    start(worker)
    first = await fake.session()
    offer = fake.task("name:wait")
    first.offer(offer)
    await first.accept(offer)
    first.send(drain=pb.Drain())
    first.end()
    second = await fake.session(2)
    assert second.held == [key(offer)]
    worker.go.set()
    await second.result(offer)


async def test_a_restarted_queue_is_found_again(fake, start, worker):
    start(worker)
    first = await fake.session()
    offer = fake.task("name:wait")
    first.offer(offer)
    await first.accept(offer)
    await fake.stop()
    await fake.start()
    second = await fake.session(2)
    assert second.held == [key(offer)]
    worker.go.set()
    await second.result(offer)


async def test_a_superseded_agent_stops_its_work_and_ends(fake, start, worker):
    agent = start(worker)
    session = await fake.session()
    offer = fake.task("name:wait")
    session.offer(offer)
    await session.accept(offer)
    session.send(superseded=pb.Superseded(session_epoch=9))
    session.end()
    with pytest.raises(Superseded, match="'a1'"):
        await agent.ended()
    assert worker.stopped.is_set()
    assert len(fake.sessions) == 1


async def test_a_session_that_had_run_out_is_followed_by_another(fake, start, worker):
    """No newer session took over: the queue has only given up on this one."""
    start(worker)
    first = await fake.session()
    first.send(superseded=pb.Superseded())
    first.end()
    second = await fake.session(2)
    offer = fake.task("name:noop")
    second.offer(offer)
    await second.result(offer)


async def test_a_late_answer_to_an_own_hello_is_no_other_agent(fake, start, worker, monkeypatch):
    """The agent gave up on a Hello that the queue took after the next one."""
    monkeypatch.setattr("batonpass.agent.session.WELCOME_WITHIN", 0.2)
    fake.welcomes = False
    start(worker)
    await fake.session()
    fake.welcomes = True
    second = await fake.session(2)
    offer = fake.task("name:wait")
    second.offer(offer)
    await second.accept(offer)
    second.send(superseded=pb.Superseded(session_epoch=1))
    second.end()
    third = await fake.session(3)
    assert third.held == [key(offer)]


async def test_an_agent_that_is_refused_ends_and_says_why(fake, start, worker):
    fake.refuses = grpc.StatusCode.INVALID_ARGUMENT
    with pytest.raises(AgentError, match="refused by the test"):
        await start(worker).ended()


async def test_a_queue_that_is_away_is_waited_for(fake, start, worker):
    fake.refuses = grpc.StatusCode.UNAVAILABLE
    start(worker)
    await fake.until(lambda: fake.refusals >= 2)
    fake.refuses = None
    offer = fake.task("name:noop")
    session = await fake.session()
    session.offer(offer)
    await session.result(offer)


async def test_a_refused_message_ends_nothing(fake, start, worker):
    start(worker)
    session = await fake.session()
    session.send(refused=pb.Refused(message="no", field="credit.offers"))
    offer = fake.task("name:noop")
    session.offer(offer)
    await session.result(offer)
