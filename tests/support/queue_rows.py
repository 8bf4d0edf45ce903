"""Tasks and executors in a queue database, and what must always hold there."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from queue_service.domain.handler import lane_of, parse_handler
from queue_service.domain.order import Candidate
from queue_service.store.executors import Change, ExecutorStore
from service_kit.postgres import Database


async def fetch(database: Database, query: str, *arguments: object) -> list[Mapping[str, Any]]:
    """Rows of a query."""
    rows: list[Mapping[str, Any]] = await database.statement(lambda d: d.fetch(query, *arguments))
    return rows


async def value(database: Database, query: str, *arguments: object) -> Any:
    """The first column of the first row."""
    return await database.statement(lambda d: d.fetchval(query, *arguments))


async def put(
    database: Database,
    now: datetime,
    count: int = 1,
    *,
    handler: str = "name:noop",
    namespace: str = "default",
    prefix: str = "t",
    priority: int = 5,
    cpu: int = 0,
    memory: int = 0,
    run_at: datetime | None = None,
    sequence: str | None = None,
    schedule: str | None = None,
    ready: bool = True,
    retry_policy: str = "standard",
    payload: bytes = b"",
    timeout: timedelta = timedelta(hours=1),
) -> list[Candidate]:
    """`count` tasks called `{prefix}1`, `{prefix}2`, ...; of a sequence only the first is ready.

    Those of a `sequence` are of the schedule of that name.
    """
    lane = str(lane_of(namespace, "default", parse_handler(handler).key, cpu, memory))
    rows = await fetch(
        database,
        """
        WITH t AS (
            INSERT INTO queue.tasks (
                namespace, queue, task_id, lane, level, ready, handler, name, priority, cpu, memory,
                timeout_ms, retry_policy, circuit_breaker, schedule_id, enqueued_at, order_at, run_at,
                sequence_key
            )
            SELECT $1, 'default', $2::text || n, $3, $4, $5 AND ($6::text IS NULL OR n = 1), $7, '', $4, $8,
                   $9, $10, $11::text, 'default', coalesce($16, $6), $12::timestamptz,
                   greatest($12::timestamptz, $13::timestamptz), $13, $6
            FROM generate_series(1, $14) AS n ORDER BY n
            RETURNING order_at, id, version, lane, level, cpu, memory
        ), p AS (
            INSERT INTO queue.payloads (task, payload)
            SELECT id, $15::bytea FROM t WHERE $15::bytea <> ''::bytea
        )
        SELECT * FROM t ORDER BY id
        """,
        namespace,
        prefix,
        lane,
        priority,
        ready,
        sequence,
        handler,
        cpu,
        memory,
        timeout // timedelta(milliseconds=1),
        retry_policy,
        now,
        run_at or now,
        count,
        payload,
        schedule,
    )
    return [Candidate(*row) for row in rows]


async def set_limits(
    database: Database,
    namespace: str = "default",
    *,
    tasks: int = 4,
    cpu: int = 8000,
    memory: int = 8500,
    threshold: timedelta = timedelta(minutes=30),
) -> None:
    """Stores the defaults of a namespace."""
    await ExecutorStore(database).change_defaults(
        namespace, Change(tasks, cpu, memory, threshold), "test", datetime.now(UTC)
    )


async def pull_executor(database: Database, now: datetime, name: str = "operator") -> int:
    """The id of a new pull executor."""
    found = await value(
        database,
        "INSERT INTO queue.executors (namespace, name, pull, seen_at) VALUES ('default', $1, true, $2)"
        " RETURNING id",
        name,
        now,
    )
    assert isinstance(found, int)
    return found


async def states(database: Database) -> dict[str, str]:
    """Where each task is: its state in words, by task_id."""
    rows = await fetch(
        database,
        """
        SELECT t.task_id, CASE l.state WHEN 1 THEN 'OFFERED' WHEN 2 THEN 'RUNNING' ELSE
               CASE WHEN t.ready THEN 'WAITING' ELSE 'BEHIND' END END AS state
        FROM queue.tasks AS t LEFT JOIN queue.leases AS l ON l.task = t.id
        UNION ALL
        SELECT task_id, (ARRAY['SUCCEEDED', 'DEAD', 'CANCELLED', 'EXPIRED', 'SKIPPED'])[state - 4]
        FROM queue.history
        """,
    )
    return {row["task_id"]: row["state"] for row in rows}


async def broken_rules(database: Database) -> Sequence[str]:
    """What an auditor would object to; empty when counters, leases and limits agree."""
    rows = await fetch(
        database,
        """
        WITH sums AS (
            SELECT e.id, e.name, e.used_tasks, e.used_cpu, e.used_memory,
                   count(l.task) AS tasks, coalesce(sum(l.cpu), 0) AS cpu,
                   coalesce(sum(l.memory), 0) AS memory
            FROM queue.executors AS e LEFT JOIN queue.leases AS l ON l.executor = e.id GROUP BY e.id
        )
        SELECT 'counters of ' || name || ' are off: ' || sums::text AS rule FROM sums
        WHERE (used_tasks, used_cpu, used_memory) IS DISTINCT FROM (tasks, cpu, memory)
        UNION ALL
        SELECT 'lease without task ' || l.task FROM queue.leases AS l
        WHERE NOT EXISTS (SELECT FROM queue.tasks AS t WHERE t.id = l.task)
        UNION ALL
        SELECT 'task both live and ended ' || h.task_id
        FROM queue.history AS h JOIN queue.tasks AS t USING (id)
        UNION ALL
        SELECT 'ended twice ' || task_id FROM queue.history GROUP BY id, chain, task_id HAVING count(*) > 1
        UNION ALL
        SELECT 'tokens do not rise ' || task FROM (
            SELECT task, token < lag(token) OVER (PARTITION BY task ORDER BY chain, attempt) AS falls
            FROM queue.attempts
        ) AS a WHERE falls
        """,
    )
    return [row["rule"] for row in rows]
