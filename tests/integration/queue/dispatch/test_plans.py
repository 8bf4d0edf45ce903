"""Plans: no statement of dispatch reads all of a table, and a backlog does not slow down a look at it."""

import re
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from queue_service.domain.handler import lanes_of
from queue_service.store.dispatching import SQL, by_index
from queue_service.store.lists import BEGINNING
from service_kit.clock import ManualClock
from service_kit.postgres import Database, raw
from tests.support.queue_rows import fetch, put

DEFAULT_HOLDS = {"settings"}
"""Tables of one row a namespace."""


@pytest.fixture
async def driver(queue_database: Database) -> AsyncIterator["asyncpg.Connection[Any]"]:
    """A connection as the dispatcher has it, which plans like one that has run for long."""
    by_index(queue_database.engine)
    async with queue_database.engine.connect() as connection:
        found = await raw(connection)
        await found.execute("SET plan_cache_mode = force_generic_plan")
        yield found
        await found.execute("SET plan_cache_mode = auto; DEALLOCATE ALL")


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """Every node of a plan."""
    return [plan, *(node for part in plan.get("Plans", ()) for node in nodes(part))]


async def generic_plan(driver: "asyncpg.Connection[Any]", name: str) -> list[dict[str, Any]]:
    """How a statement is run once its plan does not depend on its arguments."""
    count = max((int(number) for number in re.findall(r"\$(\d+)", SQL[name])), default=0)
    await driver.execute(f"PREPARE {name} AS {SQL[name]}")
    arguments = f"({', '.join(['NULL'] * count)})" if count else ""
    found = await driver.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE {name}{arguments}")
    return nodes(found[0]["Plan"])


@pytest.mark.parametrize("filled", [False, True])
async def test_no_statement_reads_all_of_a_table(
    queue_database: Database, driver: "asyncpg.Connection[Any]", clock: ManualClock, filled: bool
) -> None:
    """Neither when the planner believes that everything is empty, nor when it knows better."""
    if filled:
        await put(queue_database, clock.now(), 20_000)
    for name in SQL:
        scans = [
            node["Relation Name"]
            for node in await generic_plan(driver, name)
            if node["Node Type"] == "Seq Scan" and node.get("Relation Name") not in DEFAULT_HOLDS
        ]
        assert (name, scans) == (name, [])


async def test_reading_ahead_touches_only_what_it_returns(
    queue_database: Database, driver: "asyncpg.Connection[Any]", clock: ManualClock
) -> None:
    """A page of a list of 50,000 comes from a few hundred blocks, in order, without a sort of the rest."""
    tasks = await put(queue_database, clock.now(), 50_000)
    middle = tasks[25_000]
    await driver.execute("SET plan_cache_mode = auto")
    explained = await driver.fetchval(
        f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {SQL['ahead']}",
        [middle.lane],
        [middle.level],
        [middle.order_at],
        [middle.task],
        100,
        clock.now(),
    )
    plan = explained[0]["Plan"]
    assert plan["Actual Rows"] == 100
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 1_000
    assert all(node["Node Type"] != "Sort" for node in nodes(plan))


async def test_levels_are_found_without_reading_lists(
    queue_database: Database, driver: "asyncpg.Connection[Any]", clock: ManualClock
) -> None:
    """However long the lists are."""
    await put(queue_database, clock.now(), 20_000)
    await put(queue_database, clock.now(), 20_000, prefix="n", priority=9)
    before, after = lanes_of("default", "name:noop")
    arguments = ([before], [0], [after], [0])
    rows = await driver.fetch(SQL["levels"], *arguments)
    assert sorted(row["level"] for row in rows) == [5, 9]
    explained = await driver.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {SQL['levels']}", *arguments)
    plan = explained[0]["Plan"]
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 100


async def test_leased_and_waiting_tasks_are_passed_over(
    queue_database: Database, driver: "asyncpg.Connection[Any]", clock: ManualClock
) -> None:
    """A thousand leased tasks at the head of a list do not hide the one behind them."""
    now = clock.now()
    tasks = await put(queue_database, now, 1001)
    await fetch(
        queue_database,
        "INSERT INTO queue.leases (task, token, executor, session, attempt, cpu, memory, state, offered_at)"
        " SELECT id, id, 1, 1, 1, 0, 0, 2, $1 FROM queue.tasks WHERE id <= $2",
        now,
        tasks[499].task,
    )
    await fetch(
        queue_database,
        "UPDATE queue.tasks SET run_at = run_at + interval '1 hour' WHERE id BETWEEN $1 AND $2",
        tasks[500].task,
        tasks[999].task,
    )
    lane, level = tasks[0].lane, tasks[0].level
    rows = await driver.fetch(SQL["ahead"], [lane], [level], [BEGINNING.order_at], [0], 10, now)
    assert [row["task"] for row in rows] == [tasks[1000].task]
