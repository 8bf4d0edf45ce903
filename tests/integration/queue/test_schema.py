"""The schema as migrated: equal to the tables of the code and the domain's enums, closed where it must be."""

import re
from collections.abc import Iterable
from enum import IntEnum

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.ext.asyncio import create_async_engine

from queue_service.domain.limits import Limits
from queue_service.domain.priority import HIGHEST, LOWEST, MOST_BOOST
from queue_service.domain.states import FINAL, Category, Kind, LeaseState, Result
from queue_service.store import SCHEMA, records, tables
from queue_service.store.columns import Xid8, metadata
from queue_service.store.executors import BUILT_IN_THRESHOLD
from service_kit.migrate import runtime_role
from service_kit.postgres import Database
from tests.support.queue_rows import fetch, value


async def test_migrations_lead_to_the_tables_of_the_code(
    queue_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ischema_names, "xid8", Xid8)
    engine = create_async_engine(queue_database_url.replace("postgresql://", "postgresql+asyncpg://"))

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                "include_name": lambda name, kind, _: name == SCHEMA if kind == "schema" else True,
                "include_object": lambda _, name, kind, reflected, __: (
                    not (kind == "table" and reflected and name == "alembic_version")
                ),
                "compare_type": True,
            },
        )
        assert tables.tasks.metadata is records.history.metadata is metadata
        return list(compare_metadata(context, metadata))

    async with engine.connect() as connection:
        found = await connection.run_sync(differences)
    await engine.dispose()
    assert [each for each in found if "queue_parts" not in repr(each)] == []


async def check_of(database: Database, table: str, name: str) -> str:
    return str(
        await value(
            database,
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE conrelid = ('queue.' || $1::text)::regclass AND conname = $2",
            table,
            name,
        )
    )


@pytest.mark.parametrize(
    ("table", "column", "values"),
    [
        ("leases", "state", LeaseState),
        ("history", "state", FINAL),
        ("attempts", "result", Result),
        ("attempts", "category", Category),
        ("transitions", "kind", Kind),
    ],
)
async def test_checks_allow_what_the_domain_knows(
    queue_database: Database, table: str, column: str, values: Iterable[IntEnum]
) -> None:
    definition = await check_of(queue_database, table, f"{column}_is_known")
    assert {int(number) for number in re.findall(r"\d+", definition)} == {int(each) for each in values}


async def test_ranges_and_defaults_are_those_of_the_domain(queue_database: Database) -> None:
    priority = await check_of(queue_database, "tasks", "priority_in_range")
    boost = await check_of(queue_database, "tasks", "boost_in_range")
    assert re.findall(r"\d+", priority) == [str(LOWEST), str(HIGHEST)]
    assert re.findall(r"\d+", boost) == ["0", str(MOST_BOOST)]
    await fetch(queue_database, "INSERT INTO queue.settings (namespace) VALUES ('default')")
    (row,) = await fetch(queue_database, "SELECT * FROM queue.settings")
    assert Limits(row["max_tasks"], row["max_cpu"], row["max_memory"]) == Limits()
    assert row["ageing_threshold_ms"] == BUILT_IN_THRESHOLD.total_seconds() * 1000


async def test_the_running_service_can_only_add_to_the_audit_trails(queue_database: Database) -> None:
    assert await value(queue_database, "SELECT current_user") == runtime_role(SCHEMA)
    await fetch(
        queue_database,
        "INSERT INTO queue.transitions (at, kind, state, namespace, tasks) VALUES (now(), 1, 2, 'n', '{1}')",
    )
    await fetch(
        queue_database,
        "INSERT INTO queue.actions (at, namespace, actor, action) VALUES (now(), 'n', 'a', 'x')",
    )
    partition = await value(
        queue_database,
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'queue.transitions'::regclass"
        " ORDER BY 1 LIMIT 1",
    )
    for statement in (
        "UPDATE queue.transitions SET actor = 'me'",
        "DELETE FROM queue.transitions",
        "TRUNCATE queue.transitions",
        "DROP TABLE queue.transitions",
        f"DELETE FROM {partition}",
        "UPDATE queue.actions SET actor = 'me'",
        "DELETE FROM queue.actions",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await fetch(queue_database, statement)
    assert await value(queue_database, "SELECT count(*) FROM queue.transitions") == 1


async def test_rules_that_code_could_break_are_the_databases(queue_database: Database) -> None:
    """Negative use, two tasks of one name, a level that is not the sum of its parts."""
    with pytest.raises(asyncpg.CheckViolationError):
        await fetch(
            queue_database,
            "INSERT INTO queue.executors (namespace, name, pull, seen_at, used_tasks)"
            " VALUES ('n', 'e', false, now(), -1)",
        )
    task = (
        "INSERT INTO queue.tasks (namespace, queue, task_id, lane, level, ready, handler, name, priority,"
        " cpu, memory, timeout_ms, retry_policy, circuit_breaker, enqueued_at, order_at, run_at)"
        " VALUES ('n', 'q', 't', 'n//0', {level}, {ready}, '', '', 5, 0, 0, 1, 'none', 'default',"
        " now(), now(), now())"
    )
    for level, ready in ((6, "true"), (5, "false")):
        with pytest.raises(asyncpg.CheckViolationError):
            await fetch(queue_database, task.format(level=level, ready=ready))
    await fetch(queue_database, task.format(level=5, ready="true"))
    with pytest.raises(asyncpg.UniqueViolationError):
        await fetch(queue_database, task.format(level=5, ready="true"))
