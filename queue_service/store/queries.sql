-- Statements with a lock, a CTE or a plan that is tested. Those of dispatch are in dispatch.sql.

-- name: take_in
-- Stores a group of tasks, at most one for each key, and says for each what its key stands for. A key that is
-- new takes the id drawn here; one that is known keeps its own, and its task is not stored again.
-- DO UPDATE (of nothing) instead of DO NOTHING: it returns the row that was there, also one that another
-- transaction commits while this one waits for it. Keys are locked in sorted order.
-- $1-$4 namespace, queue, task_id, hash; $5-$24 columns; $25 now; $26 end of the keys' retention.
WITH i AS MATERIALIZED (
    SELECT nextval('queue.tasks_id_seq') AS id, u.*
    FROM (
        SELECT * FROM unnest(
            $1::text[], $2::text[], $3::text[], $4::bytea[], $5::text[], $6::smallint[], $7::int[], $8::int[],
            $9::bigint[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::timestamptz[],
            $16::int[], $17::text[], $18::boolean[], $19::timestamptz[], $20::timestamptz[], $21::bytea[],
            $22::text[], $23::text[], $24::smallint[]
        ) WITH ORDINALITY AS u (
            namespace, queue, task_id, hash, lane, priority, cpu, memory,
            timeout_ms, handler, name, retry_policy, circuit_breaker, schedule_id, nominal_at,
            trigger_depth, sequence_key, ready, order_at, run_at, payload,
            blocked_by, actor, state, ord
        ) ORDER BY ord
    ) AS u
), k AS (
    INSERT INTO queue.keys AS k (namespace, queue, key, hash, task, task_id, blocked_by, created_at, expires_at)
    SELECT namespace, queue, task_id, hash, CASE WHEN blocked_by IS NULL THEN id END, task_id, blocked_by, $25, $26
    FROM i ORDER BY namespace, queue, task_id
    ON CONFLICT (namespace, queue, key) DO UPDATE SET hash = k.hash
    RETURNING k.namespace, k.queue, k.key, k.hash, k.task, k.blocked_by
), n AS MATERIALIZED (
    SELECT i.* FROM i JOIN k ON k.task = i.id
), t AS (
    INSERT INTO queue.tasks (
        id, namespace, queue, task_id, lane, level, priority, ready, handler, name, cpu, memory, timeout_ms,
        retry_policy, circuit_breaker, schedule_id, nominal_at, trigger_depth, sequence_key,
        enqueued_at, order_at, run_at
    )
    SELECT
        id, namespace, queue, task_id, lane, priority, priority, ready, handler, name, cpu, memory, timeout_ms,
        retry_policy, circuit_breaker, schedule_id, nominal_at, trigger_depth, sequence_key,
        $25, order_at, run_at
    FROM n ORDER BY id
), p AS (
    INSERT INTO queue.payloads (task, payload) SELECT id, payload FROM n WHERE payload <> ''
), a AS (
    INSERT INTO queue.transitions (at, kind, state, namespace, tasks, actor)
    SELECT $25, 1, state, namespace, array_agg(id ORDER BY id), actor FROM n GROUP BY namespace, actor, state
)
SELECT i.id, k.task, k.hash, k.blocked_by
FROM i JOIN k ON k.namespace = i.namespace AND k.queue = i.queue AND k.key = i.task_id
ORDER BY i.ord

-- name: known_keys
-- What is known of keys $1-$3 (namespace, queue, key); keys that are not known are left out.
SELECT k.namespace, k.queue, k.key
FROM unnest($1::text[], $2::text[], $3::text[]) AS u (namespace, queue, key)
JOIN queue.keys AS k USING (namespace, queue, key)

-- name: live_of_schedules
-- The oldest task that has not ended of each schedule $1, $2 (namespace, schedule_id).
SELECT u.namespace, u.schedule_id, t.task_id
FROM unnest($1::text[], $2::text[]) AS u (namespace, schedule_id)
CROSS JOIN LATERAL (
    SELECT task_id FROM queue.tasks AS t
    WHERE t.namespace = u.namespace AND t.schedule_id = u.schedule_id
    ORDER BY t.id LIMIT 1
) AS t

-- name: live_sequences
-- Those of the sequences $1-$3 (namespace, queue, sequence_key) that have a task.
SELECT u.namespace, u.queue, u.sequence_key
FROM unnest($1::text[], $2::text[], $3::text[]) AS u (namespace, queue, sequence_key)
WHERE EXISTS (
    SELECT FROM queue.tasks AS t
    WHERE t.namespace = u.namespace AND t.queue = u.queue AND t.sequence_key = u.sequence_key
)

-- name: promote_heads
-- Makes the first task of each sequence $1-$3 ready. The caller holds the sequences' locks.
UPDATE queue.tasks AS t SET ready = true, version = version + 1
FROM unnest($1::text[], $2::text[], $3::text[]) AS u (namespace, queue, sequence_key)
CROSS JOIN LATERAL (
    SELECT id FROM queue.tasks AS h
    WHERE h.namespace = u.namespace AND h.queue = u.queue AND h.sequence_key = u.sequence_key
    ORDER BY h.id LIMIT 1
) AS head
WHERE t.id = head.id AND NOT t.ready

-- name: largest_limits
-- The CPU and memory limits that executors of the namespaces $1 can have: the defaults, and those that differ.
WITH d AS (
    SELECT n AS namespace, coalesce(s.max_cpu, 8000) AS max_cpu, coalesce(s.max_memory, 8500) AS max_memory
    FROM unnest($1::text[]) AS n LEFT JOIN queue.settings AS s ON s.namespace = n
)
SELECT namespace, max_cpu, max_memory FROM d
UNION
SELECT namespace, coalesce(e.max_cpu, d.max_cpu), coalesce(e.max_memory, d.max_memory)
FROM queue.executors AS e JOIN d USING (namespace)
WHERE e.max_cpu IS NOT NULL OR e.max_memory IS NOT NULL
