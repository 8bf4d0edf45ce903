"""Statements that run all the time find their rows by an index, with the plan they get after some repeats."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from scheduler_service.store.statements import SQL

ROWS = """
INSERT INTO scheduler.schedules (namespace, schedule_id, incarnation, generation, timing, template,
    has_payload, overlap, catch_up, catchup_window_ms, max_runs, pause_on_failure, labels, enabled, calendars,
    timed_from, watermark, next_fire, due_at, created_at, updated_at)
SELECT 'default', 's' || n, gen_random_uuid(), 1, '{}', '', false, 0, 0, 3600000, 0, 0, '{}', true, '{}',
    now(), now(), now() + n * interval '1 s', now() + n * interval '1 s', now(), now()
FROM generate_series(1, 20000) n;
UPDATE scheduler.schedules SET event_type = 'e' || schedule_id, next_fire = NULL, due_at = NULL
WHERE schedule_id LIKE '%7';
INSERT INTO scheduler.stats (incarnation) SELECT incarnation FROM scheduler.schedules;
INSERT INTO scheduler.fires (namespace, schedule_id, incarnation, generation, kind, key, fire_id, nominal_at,
    count, local_time, utc_offset, fired_at, disposition, detail, settled_at, event, actor)
SELECT namespace, schedule_id, incarnation, 1, 1, 'k', schedule_id || '.x', now(), 1, '', '', now(), 2, '',
    now(), '', '' FROM scheduler.schedules;
INSERT INTO scheduler.backfills (namespace, backfill_id, schedule_id, incarnation, timing, from_at, until_at,
    per_minute, overlap, priority, state, total, turn_at, next_at, actor, request_id, fingerprint, created_at)
SELECT namespace, 'b' || schedule_id, schedule_id, incarnation, '', now(), now(), 1, 0, 1, 1, 1, now(), now(),
    '', '', '', now() FROM scheduler.schedules;
INSERT INTO scheduler.events (namespace, source, event_id, type, subject, time, data, depth, actor,
    received_at)
SELECT namespace, 'batonpass', schedule_id, 'e', '', now(), '', 0, '', now() FROM scheduler.schedules;
INSERT INTO scheduler.outbox (fire, shard, namespace, schedule_id, fire_id, nominal_at, due_task,
    sent_at)
SELECT id, id % 16, namespace, schedule_id, fire_id, nominal_at, '',
    CASE WHEN id % 2 = 0 THEN now() END
FROM scheduler.fires;
ANALYZE;
"""
COUNT = "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = 'hot'"

HOT = [
    "claim_due",
    "next_due",
    "lock_schedule",
    "lock_listeners",
    "advance",
    "count_fires",
    "take_unsent",
    "settle",
    "runs_taken",
    "lock_run_out",
    "lock_concerned",
    "known_events",
    "count_outcomes",
    "settled_since",
    "prune_fires",
]


@pytest.fixture
async def connection(scheduler_database_url: str) -> AsyncIterator[asyncpg.Connection]:
    made = await asyncpg.connect(scheduler_database_url)
    await made.execute(ROWS)
    await made.execute("SET plan_cache_mode = force_generic_plan")
    yield made
    await made.close()


@pytest.mark.parametrize("name", HOT)
async def test_hot_statement_reads_no_table_from_end_to_end(
    connection: asyncpg.Connection, name: str
) -> None:
    await connection.execute(f"PREPARE hot AS {SQL[name]}")
    count = await connection.fetchval(COUNT)
    arguments = f"({', '.join(['NULL'] * count)})" if count else ""
    plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN EXECUTE hot{arguments}"))
    assert "Seq Scan" not in plan, plan
