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

-- name: line_up
-- Locks, in the order of their ids, what is in the way of fires of schedules $1, $2, and puts it into their
-- sequences. With $3 all of it is locked, else only what is not in the sequence yet. The caller holds the
-- schedules' locks.
WITH locked AS MATERIALIZED (
    SELECT t.id FROM queue.tasks AS t
    WHERE t.id = ANY (ARRAY(
        SELECT o.id FROM unnest($1::text[], $2::text[]) AS u (namespace, schedule_id)
        JOIN queue.tasks AS o ON o.namespace = u.namespace AND o.schedule_id = u.schedule_id
        WHERE o.sequence_key IS NULL
        UNION ALL
        SELECT s.id FROM unnest($1::text[], $2::text[], $3::boolean[]) AS u (namespace, schedule_id, replaced)
        JOIN queue.tasks AS s ON s.namespace = u.namespace AND s.sequence_key = u.schedule_id
        WHERE u.replaced
    ))
    ORDER BY t.id FOR UPDATE
)
UPDATE queue.tasks AS t SET sequence_key = t.schedule_id
WHERE t.id = ANY (ARRAY(SELECT id FROM locked)) AND t.sequence_key IS NULL

-- name: standings_of_schedules
-- Of each schedule $1, $2 (namespace, schedule_id) that has tasks, the oldest, and the oldest that is buffered.
SELECT u.namespace, u.schedule_id, o.task_id AS oldest, b.task_id AS buffered
FROM unnest($1::text[], $2::text[]) AS u (namespace, schedule_id)
CROSS JOIN LATERAL (
    SELECT t.task_id FROM queue.tasks AS t
    WHERE t.namespace = u.namespace AND t.schedule_id = u.schedule_id
    ORDER BY t.id LIMIT 1
) AS o
LEFT JOIN LATERAL (
    SELECT t.task_id FROM queue.tasks AS t
    WHERE t.namespace = u.namespace AND t.sequence_key = u.schedule_id AND NOT t.ready
    ORDER BY t.id LIMIT 1
) AS b ON true

-- name: in_the_way
-- Every task of the schedules $1, $2 (namespace, schedule_id), oldest first, with its lease. The caller has
-- locked them.
SELECT t.id, t.namespace, t.schedule_id, t.task_id, t.attempts, t.failures, t.losses, l.token, l.session, l.state
FROM unnest($1::text[], $2::text[]) AS u (namespace, schedule_id)
JOIN queue.tasks AS t ON t.namespace = u.namespace AND t.schedule_id = u.schedule_id
LEFT JOIN queue.leases AS l ON l.task = t.id
ORDER BY t.id

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

-- name: lock_task
-- Locks a live task by its name $1-$3 and returns what decides about it. Its lease cannot change afterwards; it is
-- read by a second statement, whose snapshot is newer than the lock.
SELECT id, sequence_key, priority, boost, run_at, attempts, failures, losses
FROM queue.tasks WHERE namespace = $1 AND queue = $2 AND task_id = $3
FOR UPDATE

-- name: sequence_of
-- The sequence that a live task $1-$3 belongs to; its lock comes before the task's.
SELECT sequence_key FROM queue.tasks WHERE namespace = $1 AND queue = $2 AND task_id = $3

-- name: lease_of
SELECT token, state, session FROM queue.leases WHERE task = $1

-- name: ask_to_stop
-- Notes that the leases of tasks $1 are to be cancelled by actors $2 with graces $3 (ms), and returns those of which
-- that is news: who asked first stays on record, the shortest grace counts. $4 now. The caller has locked the tasks.
UPDATE queue.leases AS l
SET cancel_at = coalesce(l.cancel_at, $4), cancel_actor = coalesce(l.cancel_actor, u.actor), cancel_grace_ms = u.grace
FROM unnest($1::bigint[], $2::text[], $3::bigint[]) AS u (task, actor, grace)
WHERE l.task = u.task AND (l.cancel_grace_ms IS NULL OR l.cancel_grace_ms > u.grace)
RETURNING l.task

-- name: relevel
-- Moves tasks $1 to priorities $2 and boosts $3, in their old place by age. `run_at` behind `order_at` is what
-- tells the replicas of it, whose cursors may have passed that place. $4 now, $5 when they were boosted (null: not).
UPDATE queue.tasks AS t
SET priority = u.priority, boost = u.boost, level = u.priority + u.boost, version = t.version + 1,
    run_at = CASE WHEN t.run_at <= $4 THEN $4 ELSE t.run_at END, boosted_at = coalesce($5, t.boosted_at)
FROM unnest($1::bigint[], $2::smallint[], $3::smallint[]) AS u (id, priority, boost)
WHERE t.id = u.id
RETURNING t.order_at, t.id AS task, t.version, t.lane, t.level, t.cpu, t.memory, t.ready, t.run_at

-- name: starving
-- Waiting tasks of namespace $1 (and queue $2, unless it is empty) that count since before $3, longest first. $4 now.
SELECT t.id, t.queue, t.task_id, t.priority, t.boost, t.order_at, t.boosted_at
FROM queue.tasks AS t
WHERE t.namespace = $1 AND ($2 = '' OR t.queue = $2) AND t.order_at < $3 AND t.run_at <= $4
  AND NOT EXISTS (SELECT FROM queue.leases AS l WHERE l.task = t.id)
ORDER BY t.order_at, t.id LIMIT $5

-- name: lock_unleased
-- Locks those of the tasks $1 that nobody holds a lock or a lease on.
SELECT t.id FROM queue.tasks AS t
WHERE t.id = ANY ($1::bigint[]) AND NOT EXISTS (SELECT FROM queue.leases AS l WHERE l.task = t.id)
ORDER BY t.id FOR UPDATE SKIP LOCKED

-- name: try_maintenance
-- True in one transaction at a time.
SELECT pg_try_advisory_xact_lock(hashtextextended('queue/maintenance', 0))

-- name: make_partitions
SELECT queue.make_partitions($1)

-- name: drop_partitions
SELECT queue.drop_partitions($1)

-- name: prune_keys
-- Deletes up to $2 keys that expired before $1 and whose task has ended: a live task keeps its key, however old.
WITH gone AS (
    DELETE FROM queue.keys AS k
    USING (
        SELECT namespace, queue, key FROM queue.keys AS e
        WHERE e.expires_at < $1 AND NOT EXISTS (SELECT FROM queue.tasks AS t WHERE t.id = e.task)
        LIMIT $2
    ) AS old
    WHERE k.namespace = old.namespace AND k.queue = old.queue AND k.key = old.key
    RETURNING 1
)
SELECT count(*) FROM gone

-- name: prune_payloads
WITH gone AS (
    DELETE FROM queue.payloads WHERE task = ANY (ARRAY(
        SELECT task FROM queue.payloads WHERE keep_until < $1 ORDER BY keep_until LIMIT $2)) RETURNING 1
)
SELECT count(*) FROM gone

-- name: prune_sessions
WITH gone AS (
    DELETE FROM queue.sessions WHERE id = ANY (ARRAY(
        SELECT s.id FROM queue.sessions AS s
        WHERE s.ended_at < $1
          AND EXISTS (SELECT FROM queue.sessions AS n WHERE n.executor = s.executor AND n.id > s.id)
        ORDER BY s.ended_at LIMIT $2)) RETURNING 1
)
SELECT count(*) FROM gone

-- name: prune_holds
WITH gone AS (
    DELETE FROM queue.holds AS h
    USING (SELECT namespace, source, number FROM queue.holds WHERE until_at < $1 ORDER BY until_at LIMIT $2) AS over
    WHERE h.namespace = over.namespace AND h.source = over.source AND h.number = over.number
    RETURNING 1
)
SELECT count(*) FROM gone

-- name: awaited
-- Tasks of namespace $1 (and queue $2, unless it is empty) with a handler that are due at $3 or wait for a retry.
SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS xmin, coalesce(array_agg(id), '{}') AS ids
FROM queue.tasks
WHERE namespace = $1 AND ($2 = '' OR queue = $2) AND handler <> '' AND (run_at <= $3 OR attempts > 0)

-- name: heads
-- The first $5 waiting tasks of each list of the lanes from $1 up to (not including) $2, of queue $3 unless it is
-- empty. $4 now. The lists are found by jumps along the index, whatever their length; see `ahead` in dispatch.sql.
WITH RECURSIVE lists AS (
    (
        SELECT lane, level FROM queue.tasks
        WHERE ready AND lane >= $1 AND lane < $2 ORDER BY lane, level LIMIT 1
    )
    UNION ALL
    SELECT n.lane, n.level FROM lists AS l
    CROSS JOIN LATERAL (
        SELECT t.lane, t.level FROM queue.tasks AS t
        WHERE t.ready AND (t.lane, t.level) > (l.lane, l.level) AND t.lane < $2
        ORDER BY t.lane, t.level LIMIT 1
    ) AS n
)
SELECT t.* FROM lists AS l
CROSS JOIN LATERAL (
    SELECT t.order_at, t.id AS task, t.version, t.lane, t.level, t.cpu, t.memory
    FROM queue.tasks AS t
    WHERE t.ready AND t.lane = l.lane AND t.level = l.level AND t.order_at <= $4 AND t.run_at <= $4
      AND (SELECT true FROM queue.leases AS e WHERE e.task = t.id) IS NOT TRUE
    ORDER BY t.order_at, t.id LIMIT $5
) AS t
WHERE $3 = '' OR right(l.lane, length($3) + 1) = '/' || $3
ORDER BY t.lane, t.level, t.order_at, t.task

-- name: register_pull
-- Makes the executor of a pull client, or notes that it was seen; an agent's of that name stays an agent's.
INSERT INTO queue.executors AS e (namespace, name, pull, seen_at) VALUES ($1, $2, true, $3)
ON CONFLICT (namespace, name) DO UPDATE SET seen_at = excluded.seen_at
RETURNING id

-- name: lease_by_request
SELECT task, token, expires_at FROM queue.leases WHERE executor = $1 AND request_id = $2

-- name: extend
-- Moves the end of task $1's pull lease with token $2 to $3. The caller has locked the task.
UPDATE queue.leases SET expires_at = $3 WHERE task = $1 AND token = $2 AND session IS NULL RETURNING task

-- name: is_of_a_session
-- Whether the lease of task $1 with token $2 is an agent's.
SELECT EXISTS (SELECT FROM queue.leases WHERE task = $1 AND token = $2 AND session IS NOT NULL)

-- name: handle_of
-- The handle of a task by its name $1-$3: of the live one, else of the one that ended last.
SELECT id FROM queue.tasks WHERE namespace = $1 AND queue = $2 AND task_id = $3
UNION ALL
SELECT id FROM (
    SELECT id FROM queue.history WHERE namespace = $1 AND queue = $2 AND task_id = $3 ORDER BY id DESC LIMIT 1
) AS h
LIMIT 1

-- name: prune_executors
-- Forgets executors that were not seen since $1, hold nothing and have no limits of their own. A claim for one
-- of them fails: it finds no row to charge.
WITH gone AS (
    DELETE FROM queue.executors WHERE id = ANY (ARRAY(
        SELECT e.id FROM queue.executors AS e
        WHERE e.seen_at < $1 AND e.used_tasks = 0 AND e.session IS NULL
          AND coalesce(e.max_tasks, e.max_cpu, e.max_memory) IS NULL
          AND NOT EXISTS (SELECT FROM queue.leases AS l WHERE l.executor = e.id)
        LIMIT $2 FOR UPDATE SKIP LOCKED)) RETURNING 1
)
SELECT count(*) FROM gone

-- name: next_day_to_count
-- The day after the last one that was counted; at first that of the oldest partition, since reading for the
-- oldest row would read everything.
SELECT coalesce((SELECT max(day) + 1 FROM queue.counted_days), (
    SELECT min(to_date(right(c.relname, 8), 'YYYYMMDD'))
    FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'queue.history'::regclass AND c.relname ~ '_[0-9]{8}$'
))

-- name: count_day
-- Counts what ended on day $1, from $2 to $3.
WITH counted AS (
    INSERT INTO queue.counted_days VALUES ($1) ON CONFLICT DO NOTHING RETURNING day
)
INSERT INTO queue.history_counts (day, namespace, queue, state, tasks)
SELECT c.day, h.namespace, h.queue, h.state, count(*)
FROM counted AS c CROSS JOIN queue.history AS h
WHERE h.ended_at >= $2 AND h.ended_at < $3
GROUP BY c.day, h.namespace, h.queue, h.state

-- name: forget_counts
-- Counts of days before $1 go, and what was counted apart from the last day.
WITH days AS (
    DELETE FROM queue.counted_days WHERE day < (SELECT max(day) FROM queue.counted_days)
)
DELETE FROM queue.history_counts WHERE day < $1

-- name: counted_until
SELECT coalesce((max(day) + 1)::timestamp AT TIME ZONE 'UTC', '1970-01-01 00:00:00+00') FROM queue.counted_days

-- name: ended_by_state
-- Ended tasks of namespace $1 (and queue $2, unless it is empty) by state; those since $3 have to be counted.
SELECT state, sum(tasks)::bigint AS tasks
FROM (
    SELECT state, tasks FROM queue.history_counts WHERE namespace = $1 AND ($2 = '' OR queue = $2)
    UNION ALL
    SELECT state, count(*) FROM queue.history
    WHERE namespace = $1 AND ($2 = '' OR queue = $2) AND ended_at >= $3
    GROUP BY state
) AS parts
GROUP BY state
