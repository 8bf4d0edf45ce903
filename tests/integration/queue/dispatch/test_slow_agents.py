"""Agents that stop reading or talking hold back nobody and cost no memory."""

import asyncio

import pytest
from batonpass.queue.v1 import dispatch_service_pb2 as pb

from queue_service.app.outbox import MOST_OFFERS, MOST_REFS
from queue_service.app.session import Session
from tests.support.agent import Agent, ref
from tests.support.dispatch import QUICK, Replica, replica
from tests.support.queue_rows import broken_rules, put, set_limits, value
from tests.support.waiting import until

pytestmark = pytest.mark.alone


async def hello(agent: Agent, credit: int = 0) -> None:
    """Registers an agent that will not read."""
    await agent.open()
    await agent.say(hello=pb.Hello(executor=agent.name, instance_id=agent.instance, handlers=["noop"]))
    if credit:
        await agent.say(credit=pb.Credit(offers=credit))


async def here(queue: Replica, name: str) -> Session | None:
    """The session of an executor."""
    return next((each for each in queue.dispatch.roster.sessions.values() if each.name == name), None)


async def talk(agent: Agent) -> None:
    """Accepts what it was never offered, as fast as it is listened to."""
    for first in range(1, 10**9, 10_000):
        leases = [pb.LeaseRef(task=first + n, lease_token=2**40) for n in range(10_000)]
        await agent.say(accept=pb.Accept(leases=leases))


async def test_agent_that_does_not_read_gets_only_what_the_transport_holds(queue_database_url: str) -> None:
    """With credit for everything it is given a bounded part; the others get the rest."""
    async with (
        replica(queue_database_url) as queue,
        Agent(queue.address, "deaf", reads=False) as deaf,
        Agent(queue.address, "b") as other,
    ):
        database = queue.databases.finish
        await set_limits(database, tasks=100_000)
        await put(database, queue.clock.now(), 400, payload=b"x" * 200_000, prefix="long")
        await put(database, queue.clock.now(), 5000, payload=b"x" * 4000)
        await hello(deaf, 100_000)
        await until(
            lambda: value(
                database, "SELECT used_tasks >= $1 FROM queue.executors WHERE name = 'deaf'", MOST_OFFERS
            ),
            "its outbox is full",
        )
        await other.connect(credit=3000)
        for lease in [ref(offer) for offer in await other.offers(3000)]:
            assert lease[1] > 0
        held = await value(database, "SELECT used_tasks FROM queue.executors WHERE name = 'deaf'")
        # What was read from the outbox lies in the transport, whose windows are a few MB.
        assert MOST_OFFERS <= held < 2 * MOST_OFFERS
        session = await here(queue, "deaf")
        assert session is not None
        assert session.room == 0
        await deaf.disconnect()
        await until(
            lambda: value(
                database, "SELECT used_tasks < $1 FROM queue.executors WHERE name = 'deaf'", MOST_OFFERS
            ),
            "what was not sent is back",
        )
        assert await broken_rules(database) == []


async def test_agent_that_only_talks_is_not_listened_to_for_ever(queue_database_url: str) -> None:
    """Its answers pile up to a bound; then nothing more is read from it, and others go on."""
    async with (
        replica(queue_database_url) as queue,
        Agent(queue.address, "talker", reads=False) as talker,
        Agent(queue.address, "b") as other,
    ):
        await hello(talker)
        session = await until(lambda: here(queue, "talker"), "it is there")
        talking = asyncio.create_task(talk(talker))

        async def is_full() -> bool:
            return not session.outbox.has_room_for_answers

        await until(is_full, "its outbox is full of answers")
        assert session.outbox.unsent_answers <= MOST_REFS + 10_000
        await put(queue.databases.finish, queue.clock.now())
        await other.connect(credit=1)
        await other.offers(1)
        assert not session.outbox.has_room_for_answers
        talking.cancel()


async def test_silent_agent_loses_only_its_own_work(queue_database_url: str) -> None:
    """It keeps its stream open and says nothing: its offers go to another one, which never waited for it."""
    async with (
        replica(queue_database_url, QUICK) as queue,
        Agent(queue.address, "silent") as silent,
        Agent(queue.address, "b") as other,
    ):
        database = queue.databases.finish
        await put(database, queue.clock.now(), 8)
        await silent.connect(credit=4)
        await silent.offers(4)
        await other.connect(credit=8, beats=True)
        first = [ref(offer) for offer in await other.offers(4)]
        await other.finish(first)
        rest = [ref(offer) for offer in await other.offers(4, seconds=10)]
        await other.finish(rest)
        await other.acknowledged(8)
        assert await value(database, "SELECT count(*) FROM queue.history WHERE last_executor = 'b'") == 8
        assert await broken_rules(database) == []
