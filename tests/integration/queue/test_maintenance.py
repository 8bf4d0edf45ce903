"""Retention: days ahead, days past, keys, payloads, sessions."""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from queue_service.app.maintenance import Maintenance, Retention
from queue_service.domain.states import State
from queue_service.store.maintenance import DAYS_AHEAD, LATEST_ROW, MaintenanceStore
from queue_service.store.reads import TaskReader
from service_kit.clock import ManualClock
from service_kit.postgres import Database
from tests.support.queue_rows import fetch, put, value

DAY = timedelta(days=1)


@pytest.fixture
async def owner(queue_database_url: str):  # type: ignore[no-untyped-def]
    """The owner of the schema, who may do what the running service may not."""
    connection = await asyncpg.connect(queue_database_url)
    yield connection
    await connection.close()


@pytest.fixture
def store(queue_database: Database) -> MaintenanceStore:
    return MaintenanceStore(queue_database)


async def partitions(database: Database, table: str) -> list[str]:
    rows = await fetch(
        database,
        "SELECT c.relname FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid"
        " WHERE i.inhparent = ('queue.' || $1::text)::regclass ORDER BY 1",
        table,
    )
    return [row["relname"] for row in rows]


async def make_day(owner: asyncpg.Connection, table: str, day: datetime) -> str:
    name = f"{table}_{day:%Y%m%d}"
    await owner.execute(
        f"CREATE TABLE queue_parts.{name} PARTITION OF queue.{table}"
        f" FOR VALUES FROM ('{day:%Y-%m-%d} 00:00:00+00') TO ('{day + DAY:%Y-%m-%d} 00:00:00+00')"
    )
    return name


async def put_ended(owner: asyncpg.Connection, ended_at: datetime, task: int = 1) -> None:
    await owner.execute(
        "INSERT INTO queue.history (id, namespace, queue, task_id, state, ended_at, handler, name, priority,"
        " cpu, memory, timeout_ms, retry_policy, circuit_breaker, enqueued_at, order_at, run_at)"
        " VALUES ($1, 'default', 'default', 't', 5, $2, '', '', 5, 0, 0, 1, 'none', 'default', $2, $2, $2)",
        task,
        ended_at,
    )


async def test_days_are_there_before_they_come(store: MaintenanceStore, queue_database: Database) -> None:
    today = datetime.now(UTC)
    for table in ("attempts", "history", "transitions"):
        found = await partitions(queue_database, table)
        for distance in range(DAYS_AHEAD + 1):
            assert f"{table}_{today + distance * DAY:%Y%m%d}" in found
    assert await store.make_partitions() == 0


async def test_days_past_retention_are_dropped_and_noted_as_gone(
    store: MaintenanceStore, queue_database: Database, owner: asyncpg.Connection
) -> None:
    now = datetime.now(UTC)
    old, kept = now - 32 * DAY, now - 29 * DAY
    names = [await make_day(owner, table, old) for table in ("attempts", "history", "transitions")]
    survivor = await make_day(owner, "history", kept)
    await put_ended(owner, old)
    gone = await owner.fetchval("SELECT max(xid)::text FROM queue.history")
    await put_ended(owner, kept, task=2)
    assert await store.drop_partitions(30 * DAY) == names
    assert survivor in await partitions(queue_database, "history")
    assert (
        await value(queue_database, "SELECT xid::text FROM queue.watermarks WHERE name = 'outcomes'") == gone
    )
    assert await value(queue_database, "SELECT count(*) FROM queue.history") == 1
    assert await store.drop_partitions(30 * DAY) == []


async def test_rows_without_a_day_of_their_own_are_deleted(
    store: MaintenanceStore, queue_database: Database, owner: asyncpg.Connection
) -> None:
    now = datetime.now(UTC)
    await put_ended(owner, now - 40 * DAY)
    await put_ended(owner, now - 10 * DAY, task=2)
    await store.drop_partitions(30 * DAY)
    assert await value(queue_database, "SELECT array_agg(id) FROM queue.history") == [2]
    assert await value(queue_database, "SELECT count(*) FROM queue.watermarks") == 1


async def test_nobody_can_have_everything_dropped(
    store: MaintenanceStore, queue_database: Database, owner: asyncpg.Connection
) -> None:
    await put_ended(owner, datetime.now(UTC) - timedelta(hours=2))
    await store.drop_partitions(timedelta(0))
    assert await value(queue_database, "SELECT count(*) FROM queue.history") == 1


async def test_a_day_that_is_in_use_is_left_for_the_next_time(
    store: MaintenanceStore, queue_database: Database, owner: asyncpg.Connection
) -> None:
    name = await make_day(owner, "history", datetime.now(UTC) - 40 * DAY)
    async with owner.transaction():
        await owner.execute("SELECT count(*) FROM queue.history")
        assert await store.drop_partitions(30 * DAY) == []
    assert await store.drop_partitions(30 * DAY) == [name]


async def test_days_that_are_over_are_counted_once_and_status_adds_the_rest(
    store: MaintenanceStore, queue_database: Database, owner: asyncpg.Connection
) -> None:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for distance, task in ((3, 1), (3, 2), (1, 3), (0, 4)):
        day = today - distance * DAY
        if distance and task != 2:
            await make_day(owner, "history", day)
        await put_ended(owner, day + timedelta(minutes=5), task)
    reader = TaskReader(queue_database)

    async def succeeded() -> int:
        counts = await reader.status("default", "", today)
        elsewhere = await reader.status("default", "other", today)
        assert State.SUCCEEDED not in elsewhere.by_state
        return counts.by_state[State.SUCCEEDED]

    assert await store.count_a_day(today - 3 * DAY + LATEST_ROW) is None
    assert await succeeded() == 4
    clock = ManualClock(today + LATEST_ROW)
    for _ in range(2):
        await Maintenance(store, clock, Retention()).step()
        rows = await fetch(queue_database, "SELECT day, tasks FROM queue.history_counts ORDER BY day")
        assert [(row["day"], row["tasks"]) for row in rows] == [
            ((today - 3 * DAY).date(), 2),
            ((today - DAY).date(), 1),
        ]
        assert await value(queue_database, "SELECT array_agg(day) FROM queue.counted_days") == [
            (today - DAY).date()
        ]
        assert await succeeded() == 4


async def test_counts_go_with_their_days(
    store: MaintenanceStore, queue_database: Database, owner: asyncpg.Connection
) -> None:
    day = datetime.now(UTC).replace(hour=12) - 5 * DAY
    await make_day(owner, "history", day)
    await put_ended(owner, day)
    assert await store.count_a_day(day + 2 * DAY) == day.date()
    await store.forget_counts(day.date())
    assert await value(queue_database, "SELECT count(*) FROM queue.history_counts") == 1
    await store.forget_counts((day + DAY).date())
    assert await value(queue_database, "SELECT count(*) FROM queue.history_counts") == 0
    assert await value(queue_database, "SELECT count(*) FROM queue.counted_days") == 1


async def put_key(database: Database, key: str, task: int | None, expires_at: datetime) -> None:
    await fetch(
        database,
        "INSERT INTO queue.keys VALUES ('default', 'default', $1::text, '', $2::bigint, $1,"
        " CASE WHEN $2::bigint IS NULL THEN 'x' END, $3::timestamptz - interval '7 days', $3)",
        key,
        task,
        expires_at,
    )


async def test_keys_go_when_they_are_old_and_their_task_has_ended(
    store: MaintenanceStore, queue_database: Database, clock: ManualClock
) -> None:
    now = clock.now()
    (live,) = await put(queue_database, now)
    await put_key(queue_database, "live", live.task, now - DAY)
    await put_key(queue_database, "ended", 999, now - DAY)
    await put_key(queue_database, "kept out", None, now - DAY)
    await put_key(queue_database, "young", 998, now + DAY)
    assert await store.prune_keys(now) == 2
    rows = await fetch(queue_database, "SELECT key FROM queue.keys ORDER BY key")
    assert [row["key"] for row in rows] == ["live", "young"]


async def test_payloads_of_the_dead_go_when_their_time_is_over(
    store: MaintenanceStore, queue_database: Database, clock: ManualClock
) -> None:
    now = clock.now()
    for task, until in ((1, None), (2, now - DAY), (3, now + DAY)):
        await fetch(queue_database, "INSERT INTO queue.payloads VALUES ($1, 'x', $2)", task, until)
    assert await store.prune_payloads(now) == 1
    rows = await fetch(queue_database, "SELECT task FROM queue.payloads ORDER BY task")
    assert [row["task"] for row in rows] == [1, 3]


async def test_an_executors_latest_session_stays(
    store: MaintenanceStore, queue_database: Database, clock: ManualClock
) -> None:
    now = clock.now()
    for executor, ended_at in ((1, now - 9 * DAY), (1, now - 8 * DAY), (2, now - 9 * DAY), (2, None)):
        await fetch(
            queue_database,
            "INSERT INTO queue.sessions (executor, instance_id, replica, started_at, beat_at, expires_at,"
            " ended_at) VALUES ($1, 'i', 'r', now(), now(), now(), $2)",
            executor,
            ended_at,
        )
    assert await store.prune_sessions(now - 7 * DAY) == 2
    rows = await fetch(queue_database, "SELECT executor, ended_at FROM queue.sessions ORDER BY executor")
    assert [(row["executor"], row["ended_at"]) for row in rows] == [(1, now - 8 * DAY), (2, None)]


async def test_executors_that_are_gone_for_good_are_forgotten(
    store: MaintenanceStore, queue_database: Database, clock: ManualClock
) -> None:
    now = clock.now()
    for name, seen, used, own in (
        ("gone", now - 31 * DAY, 0, None),
        ("busy", now - 31 * DAY, 1, None),
        ("configured", now - 31 * DAY, 0, 2),
        ("recent", now, 0, None),
    ):
        await fetch(
            queue_database,
            "INSERT INTO queue.executors (namespace, name, pull, seen_at, used_tasks, max_tasks)"
            " VALUES ('default', $1, true, $2, $3, $4)",
            name,
            seen,
            used,
            own,
        )
    assert await store.prune_executors(now - 30 * DAY) == 1
    rows = await fetch(queue_database, "SELECT name FROM queue.executors ORDER BY name")
    assert [row["name"] for row in rows] == ["busy", "configured", "recent"]


async def test_one_replica_at_a_time_does_it(
    store: MaintenanceStore, owner: asyncpg.Connection, clock: ManualClock
) -> None:
    async with owner.transaction():
        await owner.execute("SELECT pg_advisory_xact_lock(hashtextextended('queue/maintenance', 0))")
        assert await store.prune_keys(clock.now()) is None
    assert await store.prune_keys(clock.now()) == 0


async def test_a_step_works_through_all_pages(
    store: MaintenanceStore, queue_database: Database, clock: ManualClock
) -> None:
    now = clock.now()
    await fetch(
        queue_database,
        "INSERT INTO queue.keys SELECT 'default', 'default', n::text, '', n, n::text, NULL, $1, $1"
        " FROM generate_series(1, 2500) AS n",
        now - DAY,
    )
    await Maintenance(store, clock, Retention()).step()
    assert await value(queue_database, "SELECT count(*) FROM queue.keys") == 0
