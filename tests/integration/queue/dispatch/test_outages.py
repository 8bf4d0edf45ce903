"""Connections that break in the middle of everything: nothing is lost, doubled or counted wrongly."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import asyncpg
from batonpass.queue.v1 import dispatch_service_pb2 as pb

from tests.support.agent import Agent, ref
from tests.support.dispatch import STEADY, replica
from tests.support.postgres import PostgresForTests
from tests.support.queue_rows import broken_rules, put, set_limits, value
from tests.support.waiting import until

SHORT = replace(STEADY, offer_timeout=timedelta(seconds=1))
"""What was claimed but never confirmed comes back soon."""


async def test_broken_connections_lose_and_double_nothing(
    queue_database_url: str, postgres: PostgresForTests
) -> None:
    """Every connection of the service is cut again and again while 600 tasks are worked off."""
    async with replica(queue_database_url, SHORT) as queue, Agent(queue.address) as agent:
        database = queue.databases.finish
        await set_limits(database, tasks=50)
        await put(database, queue.clock.now(), 600, cpu=1)
        done = asyncio.Event()
        finished: Counter[str] = Counter()

        async def cut() -> None:
            name = queue_database_url.rsplit("/", 1)[1]
            statement = (
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                f" WHERE application_name = 'batonpass-test' AND datname = '{name}'"
            )
            while not done.is_set():
                await asyncio.to_thread(postgres.execute, statement)
                await asyncio.sleep(0.1)

        async def work() -> None:
            while not done.is_set():
                try:
                    offers = await agent.offers(1, seconds=0.3)
                except TimeoutError:
                    offers = []
                for revoke in agent.received.pop("revoke", []):
                    await agent.say(revoke_ack=pb.RevokeAck(leases=revoke.leases))
                if offers:
                    finished.update(offer.task_id for offer in offers)
                    await agent.finish(ref(offer) for offer in offers)
                    await agent.say(credit=pb.Credit(offers=len(offers)))

        await agent.connect(credit=100)
        tasks = asyncio.create_task(cut()), asyncio.create_task(work())
        await until(lambda: ended(queue_database_url), "all tasks have ended", seconds=60)
        done.set()
        await asyncio.gather(*tasks)
        assert set(finished.values()) == {1}
        assert await value(database, "SELECT count(*) FROM queue.history WHERE state = 5") == 600
        assert await value(database, "SELECT used_tasks + used_cpu FROM queue.executors") == 0
        assert await broken_rules(database) == []


async def ended(url: str) -> bool:
    """Whether nothing is left, asked through a connection that nobody cuts."""
    connection = await asyncpg.connect(url, server_settings={"application_name": "observer"})
    try:
        return not await connection.fetchval("SELECT count(*) FROM queue.tasks")
    finally:
        await connection.close()
