"""Advisory locks and notifications on a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest

from service_kit.locks import AdvisoryLocks, lock_number
from service_kit.notify import Listener, Notifier
from service_kit.postgres import Database

END_SESSION = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1"


@pytest.fixture
async def holder(empty_database_url: str) -> AsyncIterator[Callable[[str], AdvisoryLocks]]:
    made: list[AdvisoryLocks] = []

    def make(name: str) -> AdvisoryLocks:
        made.append(AdvisoryLocks(empty_database_url, name))
        return made[-1]

    yield make
    for locks in made:
        await locks.stop()


async def end_session(database: Database, name: str) -> None:
    await database.statement(lambda connection: connection.execute(END_SESSION, name))


async def within(event: Awaitable[object]) -> None:
    async with asyncio.timeout(10):
        await event


async def test_lock_has_one_holder(holder: Callable[[str], AdvisoryLocks]) -> None:
    first, second = holder("first"), holder("second")
    assert await first.try_hold("shard/1")
    assert await first.try_hold("shard/1")
    assert not await second.try_hold("shard/1")
    assert await second.try_hold("shard/2")
    assert (first.held, second.held) == ({"shard/1"}, {"shard/2"})
    await first.release("shard/1")
    assert await second.try_hold("shard/1")


async def test_stopped_holder_gives_its_locks_back(holder: Callable[[str], AdvisoryLocks]) -> None:
    first, second = holder("first"), holder("second")
    await first.try_hold("a")
    await first.stop()
    assert first.held == set()
    assert await second.try_hold("a")


async def test_everything_is_lost_with_the_session(
    holder: Callable[[str], AdvisoryLocks], empty_database: Database
) -> None:
    locks = holder("victim")
    await locks.try_hold("a")
    await locks.try_hold("b")
    await end_session(empty_database, "victim")
    await within(locks.lost.wait())
    assert locks.held == set()
    assert await locks.try_hold("a")


async def test_shared_lock_is_counted_and_leaves_with_its_session(
    holder: Callable[[str], AdvisoryLocks],
) -> None:
    first, second = holder("first"), holder("second")
    assert await first.try_hold("here", shared=True)
    assert await second.try_hold("here", shared=True)
    assert await second.try_hold("alone")
    assert await first.holders(["here", "alone", "nobody"]) == {"here": 2, "alone": 1, "nobody": 0}
    await second.stop()
    assert await first.holders(["here", "alone"]) == {"here": 1, "alone": 0}
    await first.release("here")
    assert await first.holders(["here"]) == {"here": 0}


async def test_holder_that_stood_still_does_not_believe_in_its_locks(
    holder: Callable[[str], AdvisoryLocks], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped process wakes up before it hears that the server has ended its session."""
    locks = holder("sleeper")
    await locks.try_hold("a")
    monkeypatch.setattr("service_kit.locks.BELIEF", timedelta())
    assert locks.held == set()
    assert locks.lost.is_set()


async def test_absent_database_holds_nothing() -> None:
    locks = AdvisoryLocks("postgresql://nobody:wrong@127.0.0.1:1/none")
    assert not await locks.try_hold("a")
    assert await locks.holders(["a"]) is None
    await locks.stop()


def test_lock_numbers_never_change() -> None:
    assert lock_number("migrate/queue") == 1234464200058794647


async def test_hint_sets_the_event_of_its_channel_only(
    empty_database_url: str, empty_database: Database
) -> None:
    listener = Listener(empty_database_url, ["tasks", "limits"])
    await listener.start()
    await within(listener.event("tasks").wait())
    await within(listener.event("limits").wait())
    listener.event("tasks").clear()
    listener.event("limits").clear()
    notifier = Notifier(empty_database)
    for _ in range(100):
        notifier.notify("tasks")
    await within(listener.event("tasks").wait())
    assert not listener.event("limits").is_set()
    await notifier.close()
    await listener.stop()


async def test_reconnect_sets_every_event(empty_database_url: str, empty_database: Database) -> None:
    """Hints sent in between are lost, so everybody has to look."""
    listener = Listener(empty_database_url, ["tasks"], name="listening")
    await listener.start()
    await within(listener.event("tasks").wait())
    listener.event("tasks").clear()
    await end_session(empty_database, "listening")
    await within(listener.event("tasks").wait())
    await listener.stop()


async def test_listener_waits_for_an_absent_database() -> None:
    listener = Listener("postgresql://nobody:wrong@127.0.0.1:1/none", ["tasks"])
    await listener.start()
    await listener.stop()


async def test_hint_that_cannot_be_sent_is_dropped(empty_database: Database) -> None:
    await empty_database.engine.dispose()
    notifier = Notifier(empty_database)
    notifier.notify("tasks")
    await notifier.close()
