"""Agents that refuse or ignore what they are offered do not keep work from those that would do it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from service_kit.postgres import Database
from tests.support.agent import Agent, ref
from tests.support.dispatch import STEADY, replica
from tests.support.queue_rows import broken_rules, put, states
from tests.support.waiting import until

pytestmark = pytest.mark.alone

TASKS = 20


async def test_work_goes_to_the_willing_beside_one_that_declines_everything(queue_database_url: str) -> None:
    """The one that declines has more free slots, and so would be asked first again and again."""
    async with (
        replica(queue_database_url) as queue,
        Agent(queue.address, "never", max_tasks=50) as unwilling,
        Agent(queue.address, "always", max_tasks=2) as willing,
    ):
        database = queue.databases.finish
        await unwilling.connect(credit=10_000)
        await willing.connect(credit=TASKS)
        await put(database, queue.clock.now(), TASKS)
        queue.dispatch.dispatcher.wake()
        await unwilling.decline([ref(offer) for offer in await unwilling.offers(1)])
        done = 0
        while done < TASKS:
            for offer in await willing.offers(1):
                await willing.finish([ref(offer)])
                done += 1
        await willing.acknowledged(TASKS)
        assert set((await states(database)).values()) == {"SUCCEEDED"}
        assert await broken_rules(database) == []


async def test_one_that_answers_nothing_is_asked_nothing_more(queue_database_url: str) -> None:
    """Once an offer had to be revoked, others get the work until it says something about that one."""
    terms = replace(STEADY, offer_timeout=timedelta(seconds=0.3))
    async with (
        replica(queue_database_url, terms) as queue,
        Agent(queue.address, "deaf", max_tasks=50) as deaf,
        Agent(queue.address, "willing", max_tasks=2) as willing,
    ):
        database = queue.databases.finish
        await deaf.connect(credit=100)
        await put(database, queue.clock.now(), 1, prefix="first")
        queue.dispatch.dispatcher.wake()
        (offer,) = await deaf.offers(1)
        (revoked,) = (await deaf.expect("revoke")).leases
        assert revoked.task == offer.task
        await willing.connect(credit=100)
        await put(database, queue.clock.now(), 1, prefix="second")
        queue.dispatch.dispatcher.wake()
        (taken,) = await willing.offers(1)
        assert taken.task_id == "second1"
        await willing.finish([ref(taken)])
        await willing.acknowledged(1)
        await deaf.say(revoke_ack={"leases": [revoked]})
        (again,) = await deaf.offers(1)
        await deaf.finish([ref(again)])
        await until(lambda: _all_done(database), "both are done")


async def _all_done(database: Database) -> bool:
    return set((await states(database)).values()) == {"SUCCEEDED"}
