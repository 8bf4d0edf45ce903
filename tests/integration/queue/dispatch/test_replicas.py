"""Two replicas at work on one queue: nothing twice, nothing too much, everything in the end."""

import asyncio
from collections import Counter
from datetime import timedelta
from functools import partial

from batonpass.queue.v1 import dispatch_service_pb2 as pb

from queue_service.store.claims import ClaimStore, PullLease
from tests.support.agent import Agent, ref
from tests.support.dispatch import replica
from tests.support.queue_rows import broken_rules, fetch, pull_executor, put, set_limits, states, value
from tests.support.waiting import until


async def work(agent: Agent, seen: Counter[str], total: int) -> None:
    """Finishes whatever it is offered until the agents together have seen `total`."""
    while sum(seen.values()) < total:
        try:
            offers = await agent.offers(1, seconds=0.5)
        except TimeoutError:
            continue
        seen.update(offer.task_id for offer in offers)
        await agent.accept(ref(offer) for offer in offers)
        await agent.finish(ref(offer) for offer in offers)
        await agent.say(credit=pb.Credit(offers=len(offers)))


async def passed(seen: Counter[str], progress: int) -> bool:
    """Whether so many tasks have been seen."""
    return sum(seen.values()) > progress


async def test_two_replicas_drain_one_queue(queue_database_url: str) -> None:
    """Each task is offered once, although both have it in their buffers; in the end nothing is in use."""
    async with (
        replica(queue_database_url, name="one") as one,
        replica(queue_database_url, name="two") as two,
    ):
        database = one.databases.finish
        await set_limits(database, tasks=20)
        await put(database, one.clock.now(), 1000)
        seen: Counter[str] = Counter()
        async with (
            Agent(one.address, "a") as a,
            Agent(two.address, "b") as b,
            Agent(one.address, "c") as c,
        ):
            agents = (a, b, c)
            for agent in agents:
                await agent.connect(credit=30)
            await asyncio.gather(*(work(agent, seen, 1000) for agent in agents))
            assert set(seen.values()) == {1}
            await until(
                lambda: value(database, "SELECT count(*) = 1000 FROM queue.history WHERE state = 5"),
                "all is done",
            )
        assert await value(database, "SELECT sum(used_tasks) FROM queue.executors") == 0
        assert await broken_rules(database) == []


async def test_limits_hold_while_they_are_lowered_and_pull_clients_race(queue_database_url: str) -> None:
    """At no commit is more in use than was in force, whoever claims; watched from outside all the while."""
    async with (
        replica(queue_database_url, name="one") as one,
        replica(queue_database_url, name="two") as two,
    ):
        database = one.databases.finish
        await set_limits(database, tasks=12)
        await put(database, one.clock.now(), 400, cpu=100)
        puller = await pull_executor(database, one.clock.now())
        seen: Counter[str] = Counter()
        excess: list[object] = []
        done = asyncio.Event()

        async def watch() -> None:
            """A limit is raised by nobody here, so what is above it now was above it when it was claimed."""
            highest: dict[str, int] = {}
            limit = 12
            while not done.is_set():
                rows = await fetch(
                    database,
                    "SELECT e.name, e.used_tasks, s.max_tasks FROM queue.executors AS e, queue.settings AS s",
                )
                for row in rows:
                    if row["used_tasks"] > max(row["max_tasks"], highest.get(row["name"], limit)):
                        excess.append(tuple(row))
                    highest[row["name"]] = row["used_tasks"]

        async def pull() -> None:
            claims = ClaimStore(one.databases.claims)
            while not done.is_set():
                ids = await fetch(database, "SELECT id FROM queue.tasks ORDER BY random() LIMIT 5")
                now = one.clock.now()
                tasks = [(row["id"], None) for row in ids]
                lease = await claims.claim_pull(puller, tasks, now, now + timedelta(minutes=1))
                assert not isinstance(lease, PullLease) or lease.executor == puller
                await asyncio.sleep(0.01)

        async with Agent(one.address, "a") as a, Agent(two.address, "b") as b:
            for agent in (a, b):
                await agent.connect(credit=400)
            watcher, pulling = asyncio.create_task(watch()), asyncio.create_task(pull())
            working = asyncio.gather(work(a, seen, 380), work(b, seen, 380))
            for limit, progress in ((8, 50), (5, 100), (3, 150)):
                await until(partial(passed, seen, progress), f"{progress} tasks are done")
                await set_limits(database, tasks=limit)
            await working
            done.set()
            await asyncio.gather(watcher, pulling)
        assert excess == []
        assert 3 <= await value(database, "SELECT used_tasks FROM queue.executors WHERE pull") <= 12
        assert await broken_rules(database) == []


async def test_task_of_another_replica_is_found_without_a_hint(queue_database_url: str) -> None:
    """The poll finds it within a second or so; with a hint at once."""
    async with replica(queue_database_url) as queue, Agent(queue.address) as agent:
        await agent.connect(credit=10, beats=True)
        await put(queue.databases.finish, queue.clock.now(), 1, prefix="new")
        await put(queue.databases.finish, queue.clock.now(), 1, prefix="other-level", priority=9)
        assert len(await agent.offers(2, seconds=5)) == 2


async def test_late_commit_behind_the_cursor_is_found(queue_database_url: str) -> None:
    """A task whose transaction took its time is older than one that was read already."""
    async with replica(queue_database_url) as queue, Agent(queue.address) as agent:
        database, now = queue.databases.finish, queue.clock.now()
        await put(database, now, 1, prefix="first")
        await agent.connect(credit=10, beats=True)
        await agent.offers(1)
        await put(database, now - timedelta(seconds=2), 1, prefix="late")
        (late,) = await agent.offers(1, seconds=5)
        await put(database, now - timedelta(hours=2), 1, prefix="very-late")
        (very_late,) = await agent.offers(1, seconds=5)
        assert [late.task_id, very_late.task_id] == ["late1", "very-late1"]


async def test_what_another_replica_returns_is_found(queue_database_url: str) -> None:
    """An offer that was declined there, and a task whose retry wait ends, are offered here."""
    async with (
        replica(queue_database_url, name="one") as one,
        replica(queue_database_url, name="two") as two,
        Agent(one.address, "a") as a,
        Agent(two.address, "b") as b,
    ):
        database = one.databases.finish
        await put(database, one.clock.now(), 2)
        await a.connect(credit=2)
        first, second = [ref(offer) for offer in await a.offers(2)]
        await b.connect(credit=2)
        await a.decline([first])
        await a.finish([second], 2)
        offers = await b.offers(2, seconds=8)
        assert sorted((offer.task_id, offer.attempt) for offer in offers) == [("t1", 1), ("t2", 2)]


async def test_what_another_replica_returns_is_found_behind_what_does_not_fit(
    queue_database_url: str,
) -> None:
    """It lies in the middle of a long list that was read to its end, and most of which was passed over."""
    async with (
        replica(queue_database_url, name="one") as one,
        replica(queue_database_url, name="two") as two,
        Agent(one.address, "a") as a,
        Agent(two.address, "b") as b,
    ):
        database, long_ago = one.databases.finish, one.clock.now() - timedelta(minutes=5)
        await put(database, long_ago, 700, cpu=5000, prefix="wide")
        await put(database, long_ago, 1, cpu=4200, prefix="small")
        await put(database, long_ago, 700, cpu=5000, prefix="late")
        await set_limits(database, cpu=4500)
        await a.connect(credit=1)
        (offer,) = await a.offers(1)
        await b.connect(credit=1)
        await b.silent("offers")
        await a.decline([ref(offer)])
        (again,) = await b.offers(1, seconds=8)
        assert (offer.task_id, again.task_id) == ("small1", "small1")


async def test_delayed_task_starts_when_it_is_due(queue_database_url: str) -> None:
    """Not before."""
    async with replica(queue_database_url) as queue, Agent(queue.address) as agent:
        due = queue.clock.now() + timedelta(seconds=1)
        await put(queue.databases.finish, queue.clock.now(), run_at=due)
        await agent.connect(credit=1, beats=True)
        await agent.offers(1, seconds=5)
        assert queue.clock.now() >= due
        assert await states(queue.databases.finish) == {"t1": "OFFERED"}
