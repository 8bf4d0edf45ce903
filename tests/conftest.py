"""Fixtures for every test: PostgreSQL, fresh databases, a clock that stands still."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import settings

from service_kit.clock import ManualClock
from service_kit.migrate import runtime_role
from service_kit.postgres import Database, engine
from tests.support.postgres import PostgresForTests

# The same examples in every fast run, so that a change is judged by its own effect; `--full` tries new ones.
settings.register_profile("fixed", derandomize=True)
settings.register_profile("random", derandomize=False)
settings.load_profile("fixed")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresForTests]:
    """One server per session (and per xdist worker), started when the first test asks for it."""
    server = PostgresForTests()
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def empty_database_url(postgres: PostgresForTests) -> Iterator[str]:
    """A new database without any schema of ours."""
    with postgres.database() as url:
        yield url


@pytest.fixture
def queue_database_url(postgres: PostgresForTests) -> Iterator[str]:
    """A new database with the queue's schema."""
    with postgres.database("queue_service") as url:
        yield url


@pytest.fixture
def scheduler_database_url(postgres: PostgresForTests) -> Iterator[str]:
    """A new database with the scheduler's schema."""
    with postgres.database("scheduler_service") as url:
        yield url


@pytest.fixture
async def empty_database(empty_database_url: str) -> AsyncIterator[Database]:
    """Units of work on a new database, as its owner."""
    async for database in _opened(empty_database_url, None):
        yield database


@pytest.fixture
async def queue_database(queue_database_url: str) -> AsyncIterator[Database]:
    """Units of work on a new queue database, as the role of the running service."""
    async for database in _opened(queue_database_url, runtime_role("queue")):
        yield database


@pytest.fixture
async def scheduler_database(scheduler_database_url: str) -> AsyncIterator[Database]:
    """Units of work on a new scheduler database, as the role of the running service."""
    async for database in _opened(scheduler_database_url, runtime_role("scheduler")):
        yield database


@pytest.fixture
def clock() -> ManualClock:
    """Stands at 2026-01-01 00:00:00 UTC until the test moves it."""
    return ManualClock(datetime(2026, 1, 1, tzinfo=UTC))


async def _opened(url: str, role: str | None) -> AsyncIterator[Database]:
    database = Database(engine(url, pool_size=5, role=role, name="batonpass-test"))
    try:
        yield database
    finally:
        await database.close()
