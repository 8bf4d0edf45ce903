"""The floor of the queue: the same rows in the same tables, written by bare SQL in batches, one connection.

No idempotency check, no order, no admission, no fence, no hop: what is left is what PostgreSQL itself takes.
"""

import time

import asyncpg

TABLES = ("tasks", "keys", "leases", "history", "attempts", "transitions")

_ENQUEUE = """
WITH i AS MATERIALIZED (
    SELECT g AS id, 'bare-' || g AS task_id FROM generate_series($1::bigint, $2::bigint) g),
k AS (INSERT INTO bench.keys (namespace, queue, key, hash, task, task_id, created_at, expires_at)
      SELECT 'default', 'default', task_id, sha256(task_id::bytea), id, task_id, now(),
        now() + interval '7 days'
      FROM i),
t AS (INSERT INTO bench.tasks (id, namespace, queue, task_id, lane, level, priority, ready, handler,
        name, cpu, memory, timeout_ms, retry_policy, circuit_breaker, enqueued_at, order_at, run_at)
      SELECT id, 'default', 'default', task_id, 'name:noop/0', 5, 5, true, 'name:noop', '', 0, 0,
        3600000, 'standard', 'default', now(), now(), now() FROM i)
INSERT INTO bench.transitions (id, at, kind, state, namespace, tasks)
SELECT $2, now(), 1, 2, 'default', array_agg(id) FROM i
"""

_LEASE = """
WITH l AS (INSERT INTO bench.leases (task, token, executor, session, attempt, cpu, memory, state, offered_at,
             answer_by)
           SELECT g, g, 1, 1, 1, 0, 0, 1, now(), now() + interval '10 seconds'
           FROM generate_series($1::bigint, $2::bigint) g RETURNING task)
INSERT INTO bench.transitions (id, at, kind, state, namespace, tasks, tokens)
SELECT $2, now(), 2, 3, 'default', array_agg(task), array_agg(task) FROM l
"""

_COMPLETE = """
WITH d AS (DELETE FROM bench.leases WHERE task BETWEEN $1::bigint AND $2::bigint RETURNING task),
x AS (DELETE FROM bench.tasks WHERE id BETWEEN $1 AND $2 RETURNING *),
h AS (INSERT INTO bench.history (id, namespace, queue, task_id, state, ended_at, handler, name, priority,
        cpu, memory, timeout_ms, retry_policy, circuit_breaker, enqueued_at, order_at, run_at, attempts,
        last_token, last_executor, last_started_at, last_ended_at)
      SELECT id, namespace, queue, task_id, 5, now(), handler, name, priority, cpu, memory,
        timeout_ms, retry_policy, circuit_breaker, enqueued_at, order_at, run_at, 1, id, 'bench', now(), now()
      FROM x),
a AS (INSERT INTO bench.attempts (task, chain, attempt, token, executor, offered_at, started_at, ended_at,
        result, category, state, exit_code, duration_ms)
      SELECT task, 1, 1, task, 'bench', now(), now(), now(), 1, 0, 5, 0, 0 FROM d)
INSERT INTO bench.transitions (id, at, kind, state, namespace, tasks, tokens)
SELECT $2, now(), 6, 5, 'default', array_agg(task), array_agg(task) FROM d
"""


class BareSql:
    """Empty copies of the queue's tables, indexes included, in a schema of their own."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._connection = connection

    async def prepare(self) -> None:
        await self._connection.execute("DROP SCHEMA IF EXISTS bench CASCADE; CREATE SCHEMA bench")
        for table in TABLES:
            await self._connection.execute(f"CREATE TABLE bench.{table} (LIKE queue.{table} INCLUDING ALL)")

    async def enqueue(self, tasks: int, batch: int) -> float:
        """Tasks stored per second, in one transaction per `batch`."""
        return await self._timed(_ENQUEUE, tasks, batch)

    async def drain(self, tasks: int, batch: int) -> float:
        """Tasks leased and completed per second, in two transactions per `batch`."""
        await self._connection.execute("VACUUM ANALYZE bench.tasks")
        begin = time.perf_counter()
        for first in range(1, tasks + 1, batch):
            last = min(first + batch - 1, tasks)
            await self._connection.execute(_LEASE, first, last)
            await self._connection.execute(_COMPLETE, first, last)
        return tasks / (time.perf_counter() - begin)

    async def _timed(self, statement: str, tasks: int, batch: int) -> float:
        begin = time.perf_counter()
        for first in range(1, tasks + 1, batch):
            await self._connection.execute(statement, first, min(first + batch - 1, tasks))
        return tasks / (time.perf_counter() - begin)
