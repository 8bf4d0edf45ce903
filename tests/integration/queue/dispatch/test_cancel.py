"""Cancels reach the agent that runs the task, wherever its stream is."""

from tests.support.agent import CANCELLED, FAILED, SUCCEEDED, Agent, ref, refs
from tests.support.dispatch import QUICK, STEADY, Replica, replica
from tests.support.queue_rows import broken_rules, fetch, put, states, value
from tests.support.waiting import until


async def cancel(queue: Replica) -> None:
    """What CancelTask writes down for a leased task; the hint goes to this replica only."""
    await fetch(
        queue.databases.finish,
        "UPDATE queue.leases SET cancel_at = $1, cancel_actor = 'eve', cancel_grace_ms = 10000",
        queue.clock.now(),
    )
    queue.dispatch.recall.wake()


async def test_running_task_is_asked_to_stop_once(queue_database_url: str) -> None:
    """The agent gets the grace of the terms and reports the end as usual."""
    async with replica(queue_database_url) as queue, Agent(queue.address) as agent:
        database = queue.databases.finish
        await put(database, queue.clock.now())
        await agent.connect(credit=1)
        (offer,) = await agent.offers(1)
        await agent.accept([ref(offer)])
        await cancel(queue)
        message = await agent.expect("cancel")
        assert refs(message.leases) == [ref(offer)]
        assert message.grace.ToTimedelta() == STEADY.cancel_grace
        await queue.dispatch.recall.step()
        assert await agent.silent("cancel")
        await agent.finish([ref(offer)], CANCELLED)
        await agent.acknowledged(1)
        assert await states(database) == {"t1": "CANCELLED"}
        assert await value(database, "SELECT actor FROM queue.transitions WHERE kind = 6") == "eve"
        assert await broken_rules(database) == []


async def test_cancel_reaches_a_session_on_another_replica(queue_database_url: str) -> None:
    """No hint comes through: the replica that has the stream finds out by itself."""
    async with (
        replica(queue_database_url, name="one") as one,
        replica(queue_database_url, name="two") as two,
        Agent(two.address) as agent,
    ):
        await put(one.databases.finish, one.clock.now())
        await agent.connect(credit=1, beats=True)
        (offer,) = await agent.offers(1)
        await cancel(one)
        assert refs((await agent.expect("cancel")).leases) == [ref(offer)]
        await agent.decline([ref(offer)])
        await until(
            lambda: value(one.databases.finish, "SELECT state = 7 FROM queue.history"), "it is cancelled"
        )


async def test_what_the_agent_says_after_a_cancel(queue_database_url: str) -> None:
    """Done by then is done; a failure is not retried."""
    async with replica(queue_database_url) as queue, Agent(queue.address) as agent:
        database = queue.databases.finish
        await put(database, queue.clock.now(), 2)
        await agent.connect(credit=2)
        one, two = [ref(offer) for offer in await agent.offers(2)]
        await cancel(queue)
        assert len((await agent.expect("cancel")).leases) == 2
        await agent.finish([one], SUCCEEDED)
        await agent.finish([two], FAILED)
        await agent.acknowledged(2)
        assert await states(database) == {"t1": "SUCCEEDED", "t2": "CANCELLED"}


async def test_cancel_survives_a_reconnect(queue_database_url: str) -> None:
    """An agent that lost the stream before it read the Cancel is asked again on the new one."""
    async with replica(queue_database_url) as queue, Agent(queue.address) as agent:
        await put(queue.databases.finish, queue.clock.now())
        await agent.connect(credit=1)
        (offer,) = await agent.offers(1)
        await agent.accept([ref(offer)])
        await agent.disconnect()
        await cancel(queue)
        await agent.connect(held=[ref(offer)])
        assert refs((await agent.expect("cancel")).leases) == [ref(offer)]


async def test_cancelled_task_of_a_dead_agent_is_not_run_again(queue_database_url: str) -> None:
    """Its loss ends it."""
    async with replica(queue_database_url, QUICK) as queue:
        async with Agent(queue.address) as agent:
            await put(queue.databases.finish, queue.clock.now())
            await agent.connect(credit=1)
            await agent.offers(1)
        await cancel(queue)
        await until(
            lambda: value(queue.databases.finish, "SELECT state = 7 FROM queue.history"), "it is cancelled"
        )
        assert await broken_rules(queue.databases.finish) == []
