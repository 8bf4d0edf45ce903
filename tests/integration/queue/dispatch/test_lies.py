"""Agents that lie or talk nonsense: answered in their stream, and nobody else notices."""

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from batonpass.queue.v1 import dispatch_service_pb2 as pb
from batonpass.queue.v1 import executor_pb2, task_pb2

from tests.support.agent import Agent, ref, refs
from tests.support.dispatch import Replica, replica
from tests.support.queue_rows import broken_rules, fetch, put, states, value


@asynccontextmanager
async def honest_and_liar(url: str) -> AsyncIterator[tuple[Replica, Agent, Agent]]:
    """An honest agent with one running task, and another agent without any."""
    async with (
        replica(url) as queue,
        Agent(queue.address, "honest") as honest,
        Agent(queue.address, "liar") as liar,
    ):
        await put(queue.databases.finish, queue.clock.now())
        await honest.connect(credit=1, beats=True)
        await liar.connect(beats=True)
        yield queue, honest, liar


async def test_leases_of_others_and_of_nobody_are_stale(queue_database_url: str) -> None:
    """Whatever it says about them, with whatever token, changes nothing."""
    async with honest_and_liar(queue_database_url) as (queue, honest, liar):
        (offer,) = await honest.offers(1)
        task, token = ref(offer)
        for false in ([(task, token)], [(task, token + 1)], [(99999, 1)], [(2**62, 2**62)]):
            await liar.accept(false)
            assert refs((await liar.expect("stale_lease")).leases) == false
            await liar.decline(false)
            assert refs((await liar.expect("stale_lease")).leases) == false
            await liar.finish(false)
            assert refs((await liar.expect("stale_lease")).leases) == false
        assert await states(queue.databases.finish) == {"t1": "OFFERED"}
        await honest.finish([ref(offer)])
        assert await honest.acknowledged(1) == [ref(offer)]
        await liar.finish([ref(offer)])
        assert refs((await liar.expect("stale_lease")).leases) == [ref(offer)]
        assert await broken_rules(queue.databases.finish) == []


async def test_held_leases_of_others_do_not_move(queue_database_url: str) -> None:
    """A Hello that lists them gets nothing."""
    async with honest_and_liar(queue_database_url) as (_, honest, liar):
        (offer,) = await honest.offers(1)
        assert not (await liar.connect(held=[ref(offer), (99999, 7)])).held
        await honest.finish([ref(offer)])
        assert await honest.acknowledged(1) == [ref(offer)]


async def test_broken_rules_are_refused_by_field(queue_database_url: str) -> None:
    """The session goes on, and so does everything that was right."""
    async with honest_and_liar(queue_database_url) as (queue, honest, liar):
        (offer,) = await honest.offers(1)
        lease = pb.LeaseRef(task=offer.task, lease_token=offer.lease_token)
        nonsense = [
            (pb.DispatchRequest(), "message"),
            (pb.DispatchRequest(credit=pb.Credit(offers=-1)), "credit.offers"),
            (pb.DispatchRequest(credit=pb.Credit(offers=2**31 - 1)), "credit.offers"),
            (pb.DispatchRequest(accept=pb.Accept(leases=[])), "accept.leases"),
            (
                pb.DispatchRequest(accept=pb.Accept(leases=[pb.LeaseRef(task=-1, lease_token=1)])),
                "accept.leases[0].task",
            ),
            (
                pb.DispatchRequest(results=pb.Results(results=[pb.Result(result=1)])),
                "results.results[0].lease",
            ),
            (
                pb.DispatchRequest(results=pb.Results(results=[pb.Result(lease=lease, result=3)])),
                "results.results[0].result",
            ),
            (
                pb.DispatchRequest(
                    results=pb.Results(
                        results=[
                            pb.Result(
                                lease=lease,
                                result=1,
                                report=task_pb2.AttemptReport(cpu_percent=math.nan),
                            )
                        ]
                    )
                ),
                "results.results[0].report.cpu_percent",
            ),
            (
                pb.DispatchRequest(
                    heartbeat=pb.Heartbeat(seq=100, load=executor_pb2.HostLoad(cpu_percent=math.nan))
                ),
                "heartbeat.load.cpu_percent",
            ),
            (pb.DispatchRequest(heartbeat=pb.Heartbeat(seq=100)), "heartbeat.seq"),
            (pb.DispatchRequest(hello=pb.Hello(executor="liar", instance_id="instance-1")), "hello"),
        ]
        honest.stop_beating()
        for request, field in nonsense:
            await honest.say(**{name.name: part for name, part in request.ListFields()})
            refused = await honest.expect("refused")
            assert (refused.field, bool(refused.message)) == (field, True)
            while honest.received.get("refused"):
                honest.received["refused"].pop()
        await honest.finish([ref(offer)])
        assert await honest.acknowledged(1) == [ref(offer)]
        assert honest.code is None
        await liar.expect("heartbeat_ack")
        assert await broken_rules(queue.databases.finish) == []


async def test_accepted_task_cannot_be_declined(queue_database_url: str) -> None:
    """Otherwise an agent could run a task for ever without an attempt being counted."""
    async with replica(queue_database_url) as queue, Agent(queue.address) as agent:
        database = queue.databases.finish
        await put(database, queue.clock.now())
        await agent.connect(credit=1)
        (offer,) = await agent.offers(1)
        await agent.accept([ref(offer)])
        await agent.decline([ref(offer)])
        assert "report a Result" in (await agent.expect("refused")).message
        await agent.finish([ref(offer)])
        await agent.acknowledged(1)
        assert await value(database, "SELECT attempts FROM queue.history") == 1


async def test_text_that_postgresql_cannot_store(queue_database_url: str) -> None:
    """A NUL in what is reported harms neither its own batch nor anybody else's."""
    async with replica(queue_database_url) as queue, Agent(queue.address) as agent:
        database = queue.databases.finish
        await put(database, queue.clock.now(), 3)
        await agent.connect(credit=3)
        one, two, three = [ref(offer) for offer in await agent.offers(3)]
        await agent.decline([three], "no\0pe")
        await agent.finish([one], report={"output_tail": "a\0b", "error": "\0"})
        await agent.finish([two], 2, non_retryable=True, report={"error": "bad \0"})
        await agent.acknowledged(2)
        rows = await fetch(database, "SELECT output_tail, error FROM queue.attempts ORDER BY task")
        assert [tuple(row) for row in rows] == [("a\ufffdb", ""), ("", "bad \ufffd")]
        await agent.goodbye("by\0e")
        assert await broken_rules(database) == []


async def test_unasked_cancelled_is_a_failure(queue_database_url: str) -> None:
    """An agent cannot make a task vanish."""
    async with replica(queue_database_url) as queue, Agent(queue.address) as agent:
        database = queue.databases.finish
        await put(database, queue.clock.now())
        await agent.connect(credit=1)
        (offer,) = await agent.offers(1)
        await agent.finish([ref(offer)], task_pb2.ATTEMPT_RESULT_CANCELLED)
        await agent.acknowledged(1)
        assert await value(database, "SELECT failures FROM queue.tasks") == 1
