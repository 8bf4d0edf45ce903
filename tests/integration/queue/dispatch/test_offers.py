"""Offers over a real stream: in order, within limits and credit, and back when nobody wants them."""

from dataclasses import replace
from datetime import timedelta

import pytest
from batonpass.queue.v1 import dispatch_service_pb2 as pb

from queue_service.app import dispatcher, lookout
from queue_service.domain.selection import Placement
from queue_service.store.claims import ClaimStore
from tests.support.agent import Agent, ref, refs
from tests.support.dispatch import STEADY, replica
from tests.support.queue_rows import broken_rules, fetch, put, set_limits, states, value
from tests.support.waiting import until


async def test_everything_an_agent_needs_is_in_the_offer(queue_database_url: str) -> None:
    """Identity, handler, resources, timeout, payload: short ones and long ones."""
    async with replica(queue_database_url) as queue, Agent(queue.address) as agent:
        now, database = queue.clock.now(), queue.databases.finish
        await put(
            database, now, cpu=1250, memory=5, payload=b"{}", timeout=timedelta(seconds=90.5), priority=7
        )
        await put(database, now, prefix="long", payload=b"x" * 100_000, priority=6)
        welcome = await agent.connect(credit=10)
        assert welcome.lease_ttl.ToTimedelta() == STEADY.ttl
        assert (welcome.limits.max_tasks, welcome.limits.max_cpu_percent) == (4, 80)
        short, long = await agent.offers(2)
        assert (short.task_id, short.attempt, short.chain) == ("t1", 1, 1)
        template = short.template
        assert (template.handler, template.priority, template.queue) == ("name:noop", 7, "default")
        assert (template.resources.cpu_percent, template.resources.memory_percent) == (12.5, 0.05)
        assert (template.timeout.ToTimedelta(), template.payload) == (timedelta(seconds=90.5), b"{}")
        assert long.template.payload == b"x" * 100_000
        assert long.lease_token > short.lease_token > 0


async def test_order_is_by_effective_level_with_ageing(queue_database_url: str) -> None:
    """Priority first, then who waited a threshold longer per level, then first come first served."""
    async with replica(queue_database_url) as queue, Agent(queue.address) as agent:
        now, database = queue.clock.now(), queue.databases.finish
        await set_limits(database, tasks=100, threshold=timedelta(minutes=10))
        await put(database, now, 2, prefix="five", priority=5)
        await put(database, now, 1, prefix="nine", priority=9)
        await put(database, now - timedelta(minutes=25), 1, prefix="old-three", priority=3, cpu=10)
        await put(database, now - timedelta(minutes=75), 1, prefix="older-two", priority=2, memory=700)
        await agent.connect(credit=100)
        offers = await agent.offers(5)
        assert [offer.task_id for offer in offers] == [
            "older-two1",
            "nine1",
            "old-three1",
            "five1",
            "five2",
        ]


async def test_a_handler_whose_name_goes_on_is_another(queue_database_url: str) -> None:
    """The lists of `noop/more` lie among those of `noop`: found, and left alone."""
    async with replica(queue_database_url) as queue, Agent(queue.address) as agent:
        now, database = queue.clock.now(), queue.databases.finish
        await put(database, now, handler="name:noop/more", prefix="more", priority=9)
        await put(database, now)
        await agent.connect(credit=10)
        assert [offer.task_id for offer in await agent.offers(1)] == ["t1"]
        await queue.dispatch.dispatcher.step()
        assert await agent.silent("offers")
        assert await states(database) == {"more1": "WAITING", "t1": "OFFERED"}
        assert {key.lane for key in queue.dispatch._candidates.lists} == {"default/name:noop/0/default"}


async def test_tasks_for_others_hide_nothing(queue_database_url: str) -> None:
    """Thousands of tasks that this agent cannot run, or that do not fit, come before one that it can."""
    async with replica(queue_database_url) as queue, Agent(queue.address) as agent:
        now, database = queue.clock.now(), queue.databases.finish
        await put(database, now, 3000, handler="name:other", prefix="o", priority=10)
        await put(database, now, 100, handler="echo hello", prefix="shell", priority=10)
        await put(database, now, 100, namespace="elsewhere", prefix="e", priority=10)
        await put(database, now, 2000, cpu=6000, prefix="large", priority=10)
        await put(database, now, 1, cpu=4500, prefix="fits", priority=10)
        await set_limits(database, cpu=5000)
        await agent.connect(credit=10)
        (offer,) = await agent.offers(1)
        assert offer.task_id == "fits1"
        assert await agent.silent("offers")


async def test_room_that_comes_back_goes_to_the_first_in_order(queue_database_url: str) -> None:
    """What was passed over because it did not fit is looked at again when something ends."""
    async with replica(queue_database_url) as queue, Agent(queue.address) as agent:
        now, database = queue.clock.now() - timedelta(minutes=1), queue.databases.finish
        await put(database, now, 1, cpu=4000, prefix="first", priority=10)
        await put(database, now, 1500, cpu=4100, prefix="wide", priority=9)
        await put(database, now, 1, cpu=4050, prefix="low", priority=1)
        await set_limits(database, cpu=8060)
        await agent.connect(credit=10)
        one, two = await agent.offers(2)
        assert [one.task_id, two.task_id] == ["first1", "low1"]
        await agent.finish([ref(two)])
        assert await agent.acknowledged(1) == [ref(two)]
        assert await agent.silent("offers")
        await agent.finish([ref(one)])
        (next_one,) = await agent.offers(1)
        assert next_one.task_id == "wide1"


async def test_limits_hold_and_can_be_changed_while_work_runs(queue_database_url: str) -> None:
    """Four at a time by default; lowering stops new starts and ends nothing, raising is seen at once."""
    async with replica(queue_database_url) as queue, Agent(queue.address) as agent:
        database = queue.databases.finish
        await put(database, queue.clock.now(), 20)
        await agent.connect(credit=100)
        running = [ref(offer) for offer in await agent.offers(4)]
        assert len(running) == 4
        assert await agent.silent("offers")
        await set_limits(database, tasks=3)
        await agent.finish(running[:1])
        await agent.acknowledged(1)
        assert await agent.silent("offers")
        assert await value(database, "SELECT used_tasks FROM queue.executors") == 3
        await set_limits(database, tasks=5)
        queue.dispatch.dispatcher.wake()
        assert len(await agent.offers(2)) == 2
        assert await broken_rules(database) == []


async def test_max_tasks_of_hello_is_the_executors_own_limit(queue_database_url: str) -> None:
    """It stays when a later Hello says nothing of it."""
    async with replica(queue_database_url) as queue:
        async with Agent(queue.address, max_tasks=7) as agent:
            assert (await agent.connect()).limits.max_tasks == 7
        async with Agent(queue.address) as agent:
            assert (await agent.connect()).limits.max_tasks == 7


async def test_credit_is_never_exceeded(queue_database_url: str) -> None:
    """Every offer uses one, and nothing gives it back but the agent."""
    async with replica(queue_database_url) as queue, Agent(queue.address) as agent:
        database = queue.databases.finish
        await set_limits(database, tasks=100)
        await put(database, queue.clock.now(), 30)
        await agent.connect(credit=3)
        first = await agent.offers(3)
        await agent.finish(ref(offer) for offer in first)
        await agent.acknowledged(3)
        assert await agent.silent("offers")
        await agent.say(credit=pb.Credit(offers=2))
        assert len(await agent.offers(2)) == 2
        assert await agent.silent("offers")
        assert await value(database, "SELECT count(*) FROM queue.leases") == 2


async def test_declined_offer_returns_to_its_old_place(queue_database_url: str) -> None:
    """Another agent is offered it first of all, as the same attempt, under a higher token."""
    async with replica(queue_database_url) as queue, Agent(queue.address, "a") as a:
        database = queue.databases.finish
        await put(database, queue.clock.now(), 2)
        await a.connect(credit=1)
        (offer,) = await a.offers(1)
        await a.decline([ref(offer)], "too busy")
        await until(lambda: value(database, "SELECT 1 FROM queue.transitions WHERE kind = 4"), "it is back")
        async with Agent(queue.address, "b") as b:
            await b.connect(credit=1)
            (again,) = await b.offers(1)
        assert (again.task_id, again.attempt) == ("t1", 1)
        assert again.lease_token > offer.lease_token
        assert await value(database, "SELECT count(*) FROM queue.attempts") == 0
        detail = await value(database, "SELECT detail FROM queue.transitions WHERE kind = 4 LIMIT 1")
        assert detail == "too busy"


async def test_accepted_offer_is_shown_as_running(queue_database_url: str) -> None:
    """The start is stored although nothing else is said; saying it twice changes nothing."""
    async with replica(queue_database_url) as queue, Agent(queue.address) as agent:
        database = queue.databases.finish
        await put(database, queue.clock.now())
        await agent.connect(credit=1)
        (offer,) = await agent.offers(1)
        assert await states(database) == {"t1": "OFFERED"}
        await agent.accept([ref(offer)])
        await agent.accept([ref(offer)])
        await until(lambda: value(database, "SELECT started_at FROM queue.leases WHERE state = 2"), "it runs")
        assert await agent.silent("stale_lease")
        assert await value(database, "SELECT count(*) FROM queue.transitions WHERE kind = 3") == 1


async def test_short_task_is_started_and_ended_in_one(queue_database_url: str) -> None:
    """Its start is stored with its result; nobody is told that a lease that has ended is stale."""
    async with replica(queue_database_url) as queue, Agent(queue.address) as agent:
        database = queue.databases.finish
        await put(database, queue.clock.now())
        await agent.connect(credit=1)
        (offer,) = await agent.offers(1)
        await agent.accept([ref(offer)])
        await agent.finish([ref(offer)])
        await agent.acknowledged(1)
        await queue.dispatch.starts.close()
        assert await agent.silent("stale_lease")
        (row,) = await fetch(database, "SELECT offered_at < started_at AS later FROM queue.attempts")
        assert row["later"]


async def test_a_result_implies_accept(queue_database_url: str) -> None:
    """Without an Accept before it the attempt has a start all the same."""
    async with replica(queue_database_url) as queue, Agent(queue.address) as agent:
        database = queue.databases.finish
        await put(database, queue.clock.now())
        await agent.connect(credit=1)
        (offer,) = await agent.offers(1)
        await agent.finish([ref(offer)], report={"duration": timedelta(milliseconds=1)})
        assert await agent.acknowledged(1) == [ref(offer)]
        (row,) = await fetch(database, "SELECT offered_at, started_at, ended_at FROM queue.attempts")
        assert row["offered_at"] <= row["started_at"] <= row["ended_at"]


async def test_unanswered_offer_is_revoked_and_comes_back(queue_database_url: str) -> None:
    """After RevokeAck it is offered again at once, with no attempt burnt."""
    terms = replace(STEADY, offer_timeout=timedelta(seconds=0.3))
    async with replica(queue_database_url, terms) as queue, Agent(queue.address) as agent:
        database = queue.databases.finish
        await put(database, queue.clock.now())
        await agent.connect(credit=5)
        (offer,) = await agent.offers(1)
        revoked = refs((await agent.expect("revoke")).leases)
        assert revoked == [ref(offer)]
        await agent.say(
            revoke_ack=pb.RevokeAck(leases=[pb.LeaseRef(task=t, lease_token=k) for t, k in revoked])
        )
        (again,) = await agent.offers(1)
        assert (again.task_id, again.attempt) == ("t1", 1)
        assert again.lease_token > offer.lease_token
        await agent.finish([ref(again)])
        assert await agent.acknowledged(1) == [ref(again)]
        assert await value(database, "SELECT attempts FROM queue.history") == 1


async def test_revoked_offer_stands_when_it_had_been_started(queue_database_url: str) -> None:
    """The Accept crossed the Revoke: the work goes on under its token."""
    terms = replace(STEADY, offer_timeout=timedelta(seconds=0.3))
    async with replica(queue_database_url, terms) as queue, Agent(queue.address) as agent:
        database = queue.databases.finish
        await put(database, queue.clock.now())
        await agent.connect(credit=5)
        (offer,) = await agent.offers(1)
        await agent.expect("revoke")
        await agent.accept([ref(offer)])
        await until(lambda: value(database, "SELECT 1 FROM queue.leases WHERE state = 2"), "it runs")
        await agent.finish([ref(offer)])
        assert await agent.acknowledged(1) == [ref(offer)]
        assert await states(database) == {"t1": "SUCCEEDED"}


async def test_claim_that_was_never_confirmed_comes_back(queue_database_url: str) -> None:
    """COMMIT succeeded and nobody learnt of it: no agent was told, so it goes back with no attempt burnt."""
    async with replica(queue_database_url) as queue, Agent(queue.address) as agent:
        database, now = queue.databases.finish, queue.clock.now()
        tasks = await put(database, now)
        await agent.connect()
        (session,) = queue.dispatch.roster.sessions.values()
        claimed = await ClaimStore(database).claim(
            [Placement(tasks[0], session.executor)], {session.executor: session.id}, now, now
        )
        assert len(claimed.leases) == 1
        await until(lambda: value(database, "SELECT 1 FROM queue.transitions WHERE kind = 4"), "it is back")
        assert await agent.silent("revoke")
        assert await value(database, "SELECT attempts + losses FROM queue.tasks") == 0
        assert await broken_rules(database) == []


async def test_room_that_comes_back_needs_no_poll(
    queue_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of a task makes room for the next one at once."""
    monkeypatch.setattr(dispatcher, "POLL", timedelta(hours=1))
    async with replica(queue_database_url) as queue, Agent(queue.address) as agent:
        await set_limits(queue.databases.finish, tasks=1)
        await put(queue.databases.finish, queue.clock.now(), 3)
        await agent.connect(credit=10)
        for _ in range(3):
            (offer,) = await agent.offers(1)
            await agent.finish([ref(offer)])


async def test_offer_that_is_never_answered_counts_as_lost(queue_database_url: str) -> None:
    """The agent lives and says nothing of it, not even to the Revoke: after TTL and margin others get it."""
    terms = replace(
        STEADY,
        offer_timeout=timedelta(seconds=0.2),
        ttl=timedelta(seconds=1.5),
        margin=timedelta(seconds=0.2),
    )
    async with replica(queue_database_url, terms) as queue, Agent(queue.address) as agent:
        database = queue.databases.finish
        await put(database, queue.clock.now())
        await agent.connect(credit=1, beats=True)
        (offer,) = await agent.offers(1)
        await agent.expect("revoke")
        await until(lambda: value(database, "SELECT losses FROM queue.tasks"), "the offer is lost")
        await agent.accept([ref(offer)])
        assert refs((await agent.expect("stale_lease")).leases) == [ref(offer)]
        assert await value(database, "SELECT result FROM queue.attempts") == 3
        assert await broken_rules(database) == []


async def test_retry_comes_back_to_its_place(queue_database_url: str) -> None:
    """A failed task waits by its policy and keeps its age; `aggressive` gives three attempts within 30 s."""
    async with replica(queue_database_url) as queue, Agent(queue.address) as agent:
        database = queue.databases.finish
        await put(database, queue.clock.now(), 1, retry_policy="aggressive")
        await agent.connect(credit=100, beats=True)
        began = queue.clock.now()
        for attempt in (1, 2, 3):
            (offer,) = await agent.offers(1)
            assert (offer.task_id, offer.attempt) == ("t1", attempt)
            await agent.finish([ref(offer)], 2, category=1, report={"exit_code": 1})
            await agent.acknowledged(1)
        assert queue.clock.now() - began < timedelta(seconds=30)
        assert await states(database) == {"t1": "DEAD"}
        (row,) = await fetch(
            database, "SELECT attempts, failures, order_at < run_at AS kept FROM queue.history"
        )
        assert tuple(row) == (3, 3, True)


async def test_next_of_a_sequence_is_offered_when_the_one_before_has_ended(queue_database_url: str) -> None:
    """One at a time, in order, without a pause."""
    async with replica(queue_database_url) as queue, Agent(queue.address) as agent:
        await put(queue.databases.finish, queue.clock.now(), 3, sequence="s")
        await agent.connect(credit=100)
        seen = []
        for _ in range(3):
            (offer,) = await agent.offers(1)
            assert await agent.silent("offers")
            seen.append(offer.task_id)
            await agent.finish([ref(offer)])
        assert seen == ["t1", "t2", "t3"]


async def test_tasks_pushed_by_this_replica_need_no_look_at_the_database(
    queue_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What intake hands over is offered without a poll or a hint."""
    monkeypatch.setattr(lookout, "POLL", timedelta(hours=1))
    async with replica(queue_database_url) as queue, Agent(queue.address) as agent:
        await agent.connect(credit=10)
        queue.dispatch.dispatcher.push(await put(queue.databases.finish, queue.clock.now(), 2))
        assert len(await agent.offers(2)) == 2
        queue.dispatch.dispatcher.push(await put(queue.databases.finish, queue.clock.now(), 1, prefix="n"))
        assert len(await agent.offers(1)) == 1


async def test_agent_with_new_handlers_need_not_wait_for_a_poll(
    queue_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lists are looked for, all of them, before it is offered anything."""
    monkeypatch.setattr(lookout, "POLL", timedelta(hours=1))
    async with replica(queue_database_url) as queue, Agent(queue.address) as agent:
        for priority in (3, 7, 5):
            await put(queue.databases.finish, queue.clock.now(), prefix=f"p{priority}-", priority=priority)
        await agent.connect(credit=10)
        assert [offer.task_id for offer in await agent.offers(3)] == ["p7-1", "p5-1", "p3-1"]
