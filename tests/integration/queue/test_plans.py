"""Plans: what is called often reads by index, however many tasks wait and whatever the statistics say."""

import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from sqlalchemy import event

from queue_service.domain.cursor import Cursor
from queue_service.domain.states import State
from queue_service.store.dispatching import SQL as DISPATCH
from queue_service.store.lists import BEGINNING
from queue_service.store.outcomes import OutcomeStore, Wanted
from queue_service.store.reads import Filters, TaskReader
from queue_service.store.statements import SQL
from queue_service.store.transitions import TransitionStore
from service_kit.clock import ManualClock
from service_kit.postgres import Database
from tests.support.queue_rows import put

MANY = 20_000
LARGE = "SELECT array_agg(relname::text) FROM pg_class WHERE relkind = 'r' AND pg_relation_size(oid) > 200000"


@pytest.fixture(params=["statistics", "no statistics"])
async def owner(
    request: pytest.FixtureRequest, queue_database: Database, queue_database_url: str, clock: ManualClock
) -> AsyncIterator[asyncpg.Connection]:
    """The owner of a database with many tasks, live and ended."""
    for priority in (2, 5, 9):
        await put(queue_database, clock.now(), MANY // 4, prefix=f"p{priority}-", priority=priority)
    await put(queue_database, clock.now(), MANY // 4, handler="", namespace="other")
    owner = await asyncpg.connect(queue_database_url)
    await owner.execute(
        f"""
        INSERT INTO queue.history (
            id, namespace, queue, task_id, state, ended_at, handler, name, priority, cpu, memory, timeout_ms,
            retry_policy, circuit_breaker, enqueued_at, order_at, run_at, schedule_id, last_token,
            last_ended_at
        )
        SELECT 1000000 + n, 'default', 'default', 'e' || n, CASE WHEN n % 1000 = 0 THEN 6 ELSE 5 END,
               now(), 'name:x', '', 5, 0, 0, 1,
               'none', 'default', now(), now(), now(), 's' || n % 100, n, now()
        FROM generate_series(1, {MANY}) AS n;
        INSERT INTO queue.attempts (
            task, chain, attempt, token, executor, offered_at, ended_at, result, category, state
        )
        SELECT 1000000 + n, 1, 1, n, 'a', now(), now(), 1, 0, 5 FROM generate_series(1, {MANY}) AS n;
        INSERT INTO queue.transitions (at, kind, state, namespace, tasks)
        SELECT now(), 1, 2, 'default', ARRAY[n] FROM generate_series(1, {MANY}) AS n;
        INSERT INTO queue.keys
        SELECT namespace, queue, task_id, '', id, task_id, NULL, now(), now() FROM queue.tasks;
        """
    )
    if request.param == "statistics":
        await owner.execute("ANALYZE")
    yield owner
    await owner.close()


def read_whole(plan: dict[str, Any]) -> set[str]:
    """Tables of which a plan reads everything."""
    found = {part for child in plan.get("Plans", []) for part in read_whole(child)}
    return found | ({str(plan["Relation Name"])} if plan["Node Type"] == "Seq Scan" else set())


async def plan_of(owner: asyncpg.Connection, statement: str, *arguments: object) -> set[str]:
    """The tables, or parts of them, that hold more than a few rows and are read whole all the same."""
    found = await owner.fetchval(f"EXPLAIN (FORMAT JSON) {statement}", *arguments)
    return read_whole(json.loads(found)[0]["Plan"]) & set(await owner.fetchval(LARGE))


async def test_named_statements_read_by_index(owner: asyncpg.Connection, clock: ManualClock) -> None:
    # As the connections of intake are set up.
    await owner.execute("SET enable_seqscan = off")
    now = clock.now()
    cases: list[tuple[str, tuple[object, ...]]] = [
        ("known_keys", (["default"], ["default"], ["p2-7"])),
        ("line_up", (["default"], ["s1"], [True])),
        ("standings_of_schedules", (["default"], ["s1"])),
        ("in_the_way", (["default"], ["s1"])),
        ("lock_task", ("default", "default", "p2-7")),
        ("handle_of", ("default", "default", "e7")),
        ("heads", ("default/", "default0", "", now, 100)),
        ("prune_keys", (now, 1000)),
    ]
    assert {name: await plan_of(owner, SQL[name], *arguments) for name, arguments in cases} == {
        name: set() for name, _ in cases
    }


async def test_reads_of_the_api_go_by_index(
    owner: asyncpg.Connection, queue_database: Database, clock: ManualClock
) -> None:
    """Without the hint that the service gives to the planner, once it has statistics."""
    now = clock.now()
    said: list[tuple[str, tuple[object, ...]]] = []

    def listen(*arguments: Any) -> None:
        _, _, statement, parameters, _, _ = arguments
        said.append((statement, tuple(parameters or ())))

    event.listen(queue_database.engine.sync_engine, "before_cursor_execute", listen)
    reader = TaskReader(queue_database)
    assert await reader.get("default", "default", "p2-7", now)
    assert await reader.get("default", "default", "e7", now)
    assert await reader.by_id("default", 1_000_007, now)
    for filters in (
        Filters("default"),
        Filters("default", state=State.DEAD),
        Filters("default", schedule_id="s7"),
    ):
        assert await reader.page(filters, None, 10, now)
        await reader.page(filters, 1_000_500, 10, now)
    outcomes, position = await OutcomeStore(queue_database).after(Cursor(1, 0), Wanted(), 10)
    assert len(outcomes) == 10
    await OutcomeStore(queue_database).after(position, Wanted(all_tasks=True), 10)
    await TransitionStore(queue_database).after(Cursor(1, 0), now, 10)
    plans = {}
    for statement, arguments in said:
        if "queue." in statement and "watermarks" not in statement:
            plans[statement] = await plan_of(owner, statement, *arguments)
    assert len(plans) >= 8
    assert {statement: tables for statement, tables in plans.items() if tables} == {}


@pytest.mark.parametrize("depth", [20, 500])
async def test_heads_of_long_lists_are_not_sorted(
    owner: asyncpg.Connection, clock: ManualClock, depth: int
) -> None:
    """However many are asked for: they come out of the index in their order."""
    await owner.execute("SET enable_seqscan = off")
    lane = await owner.fetchval("SELECT lane FROM queue.tasks WHERE namespace = 'default' LIMIT 1")
    for statement, arguments in (
        (SQL["heads"], ("default/", "default0", "", clock.now(), depth)),
        (DISPATCH["ahead"], ([lane], [5], [BEGINNING.order_at], [0], depth, clock.now())),
    ):
        found = await owner.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", *arguments)
        assert rows_of_tasks(json.loads(found)[0]["Plan"]) <= 3 * depth + 10


def rows_of_tasks(plan: dict[str, Any]) -> float:
    """Rows of `tasks` that were looked at in all."""
    looked_at = sum(rows_of_tasks(child) for child in plan.get("Plans", []))
    if plan.get("Relation Name") == "tasks":
        looked_at += plan["Actual Rows"] * plan["Actual Loops"] + plan.get("Rows Removed by Filter", 0)
    return float(looked_at)
