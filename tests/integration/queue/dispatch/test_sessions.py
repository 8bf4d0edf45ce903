"""Sessions: reconnects, successors, goodbyes, deaths, and the end of a replica."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import grpc
import pytest
from batonpass.queue.v1 import dispatch_service_pb2 as pb

from queue_service.domain.ending import Finished
from queue_service.store.finish import FinishedBatch, FinishStore
from service_kit.errors import DatabaseUnavailable
from service_kit.postgres import Database
from tests.support.agent import Agent, ref, refs
from tests.support.dispatch import QUICK, Replica, replica
from tests.support.queue_rows import broken_rules, fetch, put, set_limits, states, value
from tests.support.waiting import until

pytestmark = pytest.mark.alone


async def running(queue: Replica, agent: Agent, count: int) -> list[tuple[int, int]]:
    """Offers that the agent has accepted, as the database knows it."""
    offers = [ref(offer) for offer in await agent.offers(count)]
    await agent.accept(offers)
    await until(
        lambda: value(
            queue.databases.finish, "SELECT count(*) = $1 FROM queue.leases WHERE state = 2", count
        ),
        "everything runs",
    )
    return offers


async def test_reconnect_keeps_what_is_listed_and_returns_the_rest(queue_database_url: str) -> None:
    """Under the new epoch, with unchanged tokens: listed offers run, unlisted attempts are lost at once."""
    async with replica(queue_database_url) as queue, Agent(queue.address) as agent:
        database = queue.databases.finish
        await put(database, queue.clock.now(), 4)
        first = await agent.connect(credit=4)
        accepted = await running(queue, agent, 4)
        await fetch(database, "UPDATE queue.leases SET state = 1, started_at = NULL WHERE token % 2 = 0")
        kept = [lease for lease in accepted if lease[1] in (accepted[0][1], accepted[1][1])]
        second = await agent.connect(held=kept)
        assert second.session_epoch > first.session_epoch
        assert sorted(refs(second.held)) == sorted(kept)
        rows = await fetch(database, "SELECT task, token, session, state FROM queue.leases ORDER BY task")
        assert [tuple(row) for row in rows] == [(*lease, second.session_epoch, 2) for lease in sorted(kept)]
        counts = await fetch(database, "SELECT losses, count(*) AS n FROM queue.tasks GROUP BY 1 ORDER BY 1")
        assert [tuple(row) for row in counts] == [(0, 3), (1, 1)]
        await agent.finish(kept)
        assert sorted(await agent.acknowledged(2)) == sorted(kept)
        await until(
            lambda: value(database, "SELECT ended_at FROM queue.sessions WHERE id = $1", first.session_epoch),
            "the first session has ended",
        )
        assert await broken_rules(database) == []


async def test_registration_is_written_down(queue_database_url: str) -> None:
    """Everything that people and pull clients see of an executor; a later Hello replaces it."""
    async with replica(queue_database_url) as queue:
        facts = {"labels": {"zone": "a"}, "cpu_count": 8, "memory_bytes": 2**34, "version": "1.2"}
        async with Agent(queue.address, allows_shell=True, handlers=["x", "y", "x"], **facts) as agent:
            await agent.connect()
            await agent.say(heartbeat=pb.Heartbeat(seq=1, load={"cpu_percent": 12.34, "memory_percent": 50}))
            await agent.expect("heartbeat_ack")
        (row,) = await fetch(
            queue.databases.finish,
            "SELECT handlers, allows_shell, allows_http, labels ->> 'zone' AS zone, cpu_count, memory_bytes,"
            " version, load_cpu, load_memory, pull FROM queue.executors",
        )
        assert tuple(row) == (["x", "y"], True, False, "a", 8, 2**34, "1.2", 1234, 5000, False)


async def test_reconnect_to_another_replica(queue_database_url: str) -> None:
    """Any replica will do; the result is stored there."""
    async with (
        replica(queue_database_url, name="one") as one,
        replica(queue_database_url, name="two") as two,
    ):
        async with Agent(one.address) as agent:
            await put(one.databases.finish, one.clock.now())
            await agent.connect(credit=1)
            leases = await running(one, agent, 1)
            instance = agent.instance
        async with Agent(two.address, instance=instance) as agent:
            assert refs((await agent.connect(held=leases)).held) == leases
            await agent.finish(leases)
            assert await agent.acknowledged(1) == leases
        assert await broken_rules(two.databases.finish) == []


async def test_result_is_sent_again_after_a_broken_stream(queue_database_url: str) -> None:
    """Stored once, acknowledged twice, although the attempt is not held any more."""
    async with replica(queue_database_url) as queue, Agent(queue.address) as agent:
        database = queue.databases.finish
        await put(database, queue.clock.now())
        await agent.connect(credit=1)
        leases = await running(queue, agent, 1)
        await agent.finish(leases)
        await agent.acknowledged(1)
        assert not (await agent.connect(held=leases)).held
        await agent.finish(leases)
        assert await agent.acknowledged(1) == leases
        assert await value(database, "SELECT count(*) FROM queue.attempts") == 1


async def test_newer_session_supersedes(queue_database_url: str) -> None:
    """The old stream is told and ends; it is given nothing more; its work waits until it is surely dead."""
    async with (
        replica(queue_database_url) as queue,
        Agent(queue.address) as old,
        Agent(queue.address) as new,
    ):
        database = queue.databases.finish
        await put(database, queue.clock.now(), 2)
        await old.connect(credit=1)
        await running(queue, old, 1)
        welcome = await new.connect(credit=1)
        assert (await old.expect("superseded")).session_epoch == welcome.session_epoch
        assert await old.ended() is grpc.StatusCode.OK
        (offer,) = await new.offers(1)
        assert offer.task_id == "t2"
        assert await value(database, "SELECT used_tasks FROM queue.executors") == 2


async def test_work_of_a_superseded_instance_waits_until_it_is_surely_over(queue_database_url: str) -> None:
    """The old one may still run it: the new one gets it when the old session is over, as attempt 2."""
    async with (
        replica(queue_database_url, QUICK) as queue,
        Agent(queue.address) as old,
        Agent(queue.address) as new,
    ):
        database = queue.databases.finish
        await put(database, queue.clock.now())
        await old.connect(credit=1)
        await running(queue, old, 1)
        await new.connect(credit=1, beats=True)
        expires_at = await value(database, "SELECT expires_at FROM queue.sessions ORDER BY id LIMIT 1")
        (offer,) = await new.offers(1)
        assert queue.clock.now() >= expires_at + QUICK.margin
        assert offer.attempt == 2
        assert await broken_rules(database) == []


async def test_newer_session_on_another_replica_supersedes(queue_database_url: str) -> None:
    """The old one learns of it by its next heartbeat, which is not acknowledged."""
    async with (
        replica(queue_database_url, name="one") as one,
        replica(queue_database_url, name="two") as two,
        Agent(one.address) as old,
        Agent(two.address) as new,
    ):
        await old.connect()
        welcome = await new.connect()
        await old.beat()
        assert (await old.expect("superseded")).session_epoch == welcome.session_epoch
        assert await old.ended() is grpc.StatusCode.OK
        assert "heartbeat_ack" not in old.received


async def test_superseded_session_is_found_out_by_its_first_claim(queue_database_url: str) -> None:
    """The replica that still has the old stream cannot claim for it, says so, and is in nobody's way."""
    async with (
        replica(queue_database_url, name="one") as one,
        replica(queue_database_url, name="two") as two,
        Agent(one.address) as old,
        Agent(two.address) as new,
    ):
        await old.connect(credit=5)
        welcome = await new.connect()
        one.dispatch.dispatcher.push(await put(one.databases.finish, one.clock.now()))
        assert (await old.expect("superseded")).session_epoch == welcome.session_epoch
        assert "offers" not in old.received
        await new.say(credit=pb.Credit(offers=1))
        await new.offers(1)
        assert await broken_rules(two.databases.finish) == []


async def test_goodbye_returns_everything_at_once(queue_database_url: str) -> None:
    """Offered and running, with no attempt burnt; the stream ends when it is done."""
    async with replica(queue_database_url) as queue, Agent(queue.address) as agent:
        database = queue.databases.finish
        await put(database, queue.clock.now(), 4)
        await agent.connect(credit=4)
        offers = [ref(offer) for offer in await agent.offers(4)]
        await agent.accept(offers[:2])
        await agent.goodbye("deploy")
        assert await value(database, "SELECT count(*) FROM queue.leases") == 0
        rows = await fetch(database, "SELECT attempts, losses FROM queue.tasks")
        assert [tuple(row) for row in rows] == [(0, 0)] * 4
        (session,) = await fetch(
            database, "SELECT ended_at IS NOT NULL AS over, end_reason FROM queue.sessions"
        )
        assert tuple(session) == (True, "deploy")
        assert await broken_rules(database) == []


async def test_goodbye_comes_after_results_that_were_sent_before(queue_database_url: str) -> None:
    """Nothing that the agent has reported is given back."""
    async with replica(queue_database_url) as queue, Agent(queue.address) as agent:
        database = queue.databases.finish
        await set_limits(database, tasks=100)
        await put(database, queue.clock.now(), 50)
        await agent.connect(credit=50)
        offers = [ref(offer) for offer in await agent.offers(50)]
        for offer in offers:
            await agent.finish([offer])
        await agent.goodbye()
        assert set((await states(database)).values()) == {"SUCCEEDED"}


async def test_goodbye_waits_for_a_result_that_is_hard_to_store(
    queue_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database is away for a moment: the result is stored before what is left goes back."""
    store, failures = FinishStore.finish, [DatabaseUnavailable("away")]

    async def finish(self: FinishStore, reports: Sequence[Finished], now: datetime) -> FinishedBatch:
        if failures:
            raise failures.pop()
        return await store(self, reports, now)

    async with replica(queue_database_url) as queue, Agent(queue.address) as agent:
        await put(queue.databases.finish, queue.clock.now(), 2)
        await agent.connect(credit=2)
        one, _ = [ref(offer) for offer in await agent.offers(2)]
        monkeypatch.setattr(FinishStore, "finish", finish)
        await agent.finish([one])
        await agent.goodbye()
        assert await states(queue.databases.finish) == {"t1": "SUCCEEDED", "t2": "WAITING"}


async def test_work_of_a_dead_agent_is_rescued_in_time(queue_database_url: str) -> None:
    """Its stream breaks without a word: after TTL and margin another agent is offered the work."""
    async with replica(queue_database_url, QUICK) as queue, Agent(queue.address, "b") as other:
        database = queue.databases.finish
        async with Agent(queue.address, "a") as dead:
            await put(database, queue.clock.now(), 3)
            await dead.connect(credit=2, beats=True)
            await running(queue, dead, 2)
            await until(
                lambda: value(database, "SELECT beat_at > started_at + interval '0.5 s' FROM queue.sessions"),
                "it has been alive for a while",
            )
        died = queue.clock.now()
        await other.connect(credit=4, beats=True)
        offers = {offer.task_id: offer for offer in await other.offers(3, seconds=10)}
        assert queue.clock.now() - died < QUICK.ttl + QUICK.margin + timedelta(seconds=2)
        assert {name: offer.attempt for name, offer in offers.items()} == {"t1": 2, "t2": 2, "t3": 1}
        lost = await fetch(database, "SELECT result, error FROM queue.attempts")
        assert [tuple(row) for row in lost] == [(3, "executor lost: its session ran out")] * 2
        assert await broken_rules(database) == []


async def test_zombie_is_fenced(queue_database_url: str) -> None:
    """An agent that was stopped and comes back is told that its attempts are not its own; nothing changes."""
    async with replica(queue_database_url, QUICK) as queue, Agent(queue.address, "b") as other:
        database = queue.databases.finish
        async with Agent(queue.address, "a") as zombie:
            await put(database, queue.clock.now())
            await zombie.connect(credit=1)
            leases = await running(queue, zombie, 1)
            await other.connect(credit=1, beats=True)
            (offer,) = await other.offers(1)
            await zombie.finish(leases)
            assert refs((await zombie.expect("stale_lease")).leases) == leases
            assert await states(database) == {"t1": "OFFERED"}
            await zombie.beat()
            await zombie.expect("superseded")
            await other.finish([ref(offer)])
            assert await other.acknowledged(1) == [ref(offer)]
        assert await value(database, "SELECT last_executor FROM queue.history") == "b"
        assert await broken_rules(database) == []


async def test_living_agent_is_left_alone(queue_database_url: str) -> None:
    """Heartbeats keep every lease of a session, however long the work takes."""
    async with replica(queue_database_url, QUICK) as queue, Agent(queue.address) as agent:
        database = queue.databases.finish
        await put(database, queue.clock.now(), 2)
        await agent.connect(credit=2, beats=True)
        leases = await running(queue, agent, 2)
        began = queue.clock.now()
        while queue.clock.now() - began < 2 * (QUICK.ttl + QUICK.margin):
            ack = await agent.expect("heartbeat_ack")
            assert ack.valid_for.ToTimedelta() == QUICK.ttl
        await agent.finish(leases)
        assert sorted(await agent.acknowledged(2)) == sorted(leases)
        assert await value(database, "SELECT count(*) FROM queue.attempts WHERE result = 3") == 0


async def test_reaper_is_patient_after_a_start(queue_database_url: str, queue_database: Database) -> None:
    """A replica that was away does not judge agents that could not reach it."""
    async with replica(queue_database_url, QUICK) as queue, Agent(queue.address) as agent:
        database = queue.databases.finish
        await put(database, queue.clock.now())
        await agent.connect(credit=1)
        leases = await running(queue, agent, 1)
    await fetch(queue_database, "UPDATE queue.sessions SET expires_at = expires_at - interval '1 hour'")
    async with (
        replica(queue_database_url, QUICK) as queue,
        Agent(queue.address, instance=agent.instance) as again,
    ):
        await queue.dispatch.reaper.step()
        assert refs((await again.connect(held=leases)).held) == leases


async def test_expired_pull_lease_is_lost(queue_database_url: str) -> None:
    """It ends by itself, and the task is there for others."""
    async with replica(queue_database_url, QUICK) as queue:
        database, now = queue.databases.finish, queue.clock.now()
        await put(database, now, handler="")
        await fetch(
            database,
            "WITH e AS (INSERT INTO queue.executors (namespace, name, pull, seen_at, used_tasks)"
            " VALUES ('default', 'operator', true, $1, 1) RETURNING id)"
            " INSERT INTO queue.leases (task, token, executor, attempt, cpu, memory, state, offered_at,"
            " expires_at) SELECT t.id, nextval('queue.lease_token'), e.id, 1, 0, 0, 2, $1, $2"
            " FROM e, queue.tasks AS t",
            now,
            now + timedelta(seconds=0.1),
        )
        await until(lambda: value(database, "SELECT losses FROM queue.tasks"), "the lease has run out")
        assert await value(database, "SELECT used_tasks FROM queue.executors") == 0


async def test_drain_sends_agents_elsewhere(queue_database_url: str) -> None:
    """Drain, then the end of the stream; what runs goes on, what was not sent is back at once."""
    async with replica(queue_database_url) as queue, Agent(queue.address) as agent:
        database = queue.databases.finish
        await put(database, queue.clock.now(), 2)
        await agent.connect(credit=1)
        leases = await running(queue, agent, 1)
        await queue.stop_loops()
        await queue.dispatch.drain()
        await agent.expect("drain")
        assert await agent.ended() is grpc.StatusCode.OK
        assert await states(database) == {"t1": "RUNNING", "t2": "WAITING"}
        await agent.open()
        await agent.say(hello=pb.Hello(executor="a", instance_id=agent.instance))
        assert await agent.ended() is grpc.StatusCode.UNAVAILABLE
    async with (
        replica(queue_database_url) as other,
        Agent(other.address, instance=agent.instance) as again,
    ):
        assert refs((await again.connect(held=leases)).held) == leases


async def test_stream_without_hello_is_refused(queue_database_url: str) -> None:
    """Another first message, a Hello that breaks a rule, text that cannot be stored: INVALID_ARGUMENT."""
    async with replica(queue_database_url) as queue, Agent(queue.address) as agent:
        bad = [
            {"credit": pb.Credit(offers=1)},
            {"hello": pb.Hello(executor="no spaces", instance_id="instance-1")},
            {"hello": pb.Hello(executor="a", instance_id="instance-1", labels={"a": "\0"})},
        ]
        for message in bad:
            await agent.open()
            await agent.say(**message)
            assert await agent.ended() is grpc.StatusCode.INVALID_ARGUMENT
        assert await value(queue.databases.finish, "SELECT count(*) FROM queue.executors") == 0
