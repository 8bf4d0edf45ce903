"""Units of work on a real PostgreSQL."""

import asyncio

import asyncpg
import pytest
from sqlalchemy import text

from service_kit.errors import AlreadyExists, DatabaseUnavailable
from service_kit.postgres import AsyncConnection, Database, durability, engine, raw
from tests.support.postgres import PostgresForTests


async def numbers(database: Database) -> list[int]:
    async def read(connection: AsyncConnection) -> list[int]:
        return list(await connection.scalars(text("SELECT n FROM numbers ORDER BY n")))

    return await database.unit(read, readonly=True)


@pytest.fixture
async def database(empty_database: Database) -> Database:
    await empty_database.statement(
        lambda connection: connection.execute("CREATE TABLE numbers (n int UNIQUE)")
    )
    return empty_database


async def insert(connection: AsyncConnection, number: int) -> int:
    await connection.execute(text("INSERT INTO numbers VALUES (:n)"), {"n": number})
    return number


async def test_unit_commits_before_it_returns(database: Database) -> None:
    assert await database.unit(lambda connection: insert(connection, 7)) == 7
    assert await numbers(database) == [7]


async def test_failed_unit_leaves_nothing_and_raises_its_own_error(database: Database) -> None:
    async def work(connection: AsyncConnection) -> None:
        await insert(connection, 7)
        raise AlreadyExists("taken")

    with pytest.raises(AlreadyExists):
        await database.unit(work)
    assert await numbers(database) == []


async def test_raw_and_sqlalchemy_statements_share_the_transaction(database: Database) -> None:
    async def work(connection: AsyncConnection) -> None:
        driver = await raw(connection)
        await driver.execute("INSERT INTO numbers VALUES (1)")
        assert await connection.scalar(text("SELECT count(*) FROM numbers")) == 1
        await insert(connection, 2)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await database.unit(work)
    assert await numbers(database) == []


async def test_cancelled_caller_does_not_cancel_the_unit(database: Database) -> None:
    inside, may_go_on = asyncio.Event(), asyncio.Event()

    async def work(connection: AsyncConnection) -> None:
        await insert(connection, 1)
        inside.set()
        await may_go_on.wait()

    caller = asyncio.create_task(database.unit(work))
    await inside.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    may_go_on.set()
    await database.close()
    assert await numbers(database) == [1]


async def test_storm_of_cancelled_callers_leaks_no_connection(database: Database) -> None:
    """Far more cancelled units than the pool has connections; afterwards all of them are usable."""
    callers = [asyncio.create_task(database.unit(lambda c, n=n: insert(c, n))) for n in range(60)]
    await asyncio.sleep(0)
    for caller in callers[::2]:
        caller.cancel()
    await asyncio.gather(*callers, return_exceptions=True)
    await asyncio.gather(*(numbers(database) for _ in range(10)))
    await database.close()
    assert await numbers(database) == list(range(60))


async def test_conflict_runs_the_unit_again(database: Database) -> None:
    runs = 0

    async def work(connection: AsyncConnection) -> None:
        nonlocal runs
        runs += 1
        await insert(connection, runs)
        if runs < 3:
            await connection.execute(text("DO $$ BEGIN RAISE EXCEPTION SQLSTATE '40001'; END $$"))

    await database.unit(work)
    assert runs == 3
    assert await numbers(database) == [3]


async def test_conflict_without_end_says_unavailable(database: Database) -> None:
    async def work(connection: AsyncConnection) -> None:
        await (await raw(connection)).execute("DO $$ BEGIN RAISE EXCEPTION SQLSTATE '40P01'; END $$")

    with pytest.raises(DatabaseUnavailable) as refused:
        await database.unit(work)
    assert refused.value.retry_after is not None


async def test_broken_rule_is_raised_as_it_is(database: Database) -> None:
    await database.unit(lambda connection: insert(connection, 1))
    with pytest.raises(asyncpg.UniqueViolationError):
        await database.statement(lambda connection: connection.execute("INSERT INTO numbers VALUES (1)"))


async def test_connection_lost_before_commit_runs_the_unit_again(database: Database) -> None:
    runs = 0

    async def work(connection: AsyncConnection) -> None:
        nonlocal runs
        runs += 1
        await insert(connection, runs)
        if runs == 1:
            driver = await raw(connection)
            await driver.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    await database.unit(work)
    assert await numbers(database) == [2]


async def test_pool_survives_the_end_of_all_its_connections(database: Database) -> None:
    await asyncio.gather(*(numbers(database) for _ in range(5)))
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
    with pytest.raises(DatabaseUnavailable) as lost:
        await database.statement(lambda connection: connection.execute(others))
    assert lost.value.outcome_unknown
    assert await asyncio.gather(*(numbers(database) for _ in range(10))) == [[]] * 10


async def test_absent_server_says_unavailable() -> None:
    database = Database(engine("postgresql://nobody:wrong@127.0.0.1:1/none"))
    with pytest.raises(DatabaseUnavailable):
        await database.now()
    await database.close()


async def test_sessions_keep_the_house_rules(database: Database) -> None:
    async def settings(connection: AsyncConnection) -> dict[str, str]:
        names = (
            "statement_timeout",
            "lock_timeout",
            "idle_in_transaction_session_timeout",
            "jit",
            "application_name",
        )
        return {name: str(await connection.scalar(text(f"SHOW {name}"))) for name in names}

    assert await database.unit(settings) == {
        "statement_timeout": "30s",
        "lock_timeout": "5s",
        "idle_in_transaction_session_timeout": "5s",
        "jit": "off",
        "application_name": "batonpass-test",
    }


async def test_role_is_taken_when_it_exists(empty_database_url: str, postgres: PostgresForTests) -> None:
    postgres.execute("CREATE ROLE kit_runtime NOLOGIN")
    try:
        for role, expected in (("kit_runtime", "kit_runtime"), ("kit_absent", "batonpass")):
            database = Database(engine(empty_database_url, role=role))
            assert await database.statement(lambda c: c.fetchval("SELECT current_user")) == expected
            await database.close()
    finally:
        postgres.execute("DROP ROLE kit_runtime")


async def test_weaker_settings_are_put_into_words(database: Database) -> None:
    sentences = await database.unit(durability)
    assert [sentence.partition(" ")[0] for sentence in sentences] == [
        "fsync",
        "full_page_writes",
        "synchronous_commit",
    ]


async def test_now_is_the_database_time_in_utc(database: Database) -> None:
    before = await database.statement(lambda c: c.fetchval("SELECT clock_timestamp()"))
    now = await database.now()
    assert now > before
    assert now.utcoffset() is not None
