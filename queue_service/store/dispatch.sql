-- The hot statements of dispatch: claims, ends of leases, sessions, and reads of the order.
-- Lock order everywhere: schedule, task, lease, executor; ids sorted. Claims skip locked tasks, every other
-- writer of a lease waits for its task. Numbers of kinds, states and results are those of domain/states.py.

-- name: claim
-- Leases tasks $1 in versions $2 to executors $3 in sessions $4 (parallel arrays) and returns what was won.
-- The locks come first: a bare INSERT ... ON CONFLICT re-leases what another replica has just finished. What
-- was decided before with an older version (reprioritised, returned, retried since) is not won.
-- The text of a task is read again by its key, because a join of two CTEs is a nested loop over both.
-- $5 now, $6 the end of the answer's time, $7 longest payload (bytes) that comes along.
WITH picked AS MATERIALIZED (
    SELECT k.id, k.attempts, k.cpu, k.memory, w.executor, w.session
    FROM unnest($1::bigint[], $2::int[], $3::bigint[], $4::bigint[]) AS w (task, version, executor, session)
    JOIN queue.tasks AS k ON k.id = w.task AND k.version = w.version
    WHERE k.ready AND k.run_at <= $5
    FOR UPDATE OF k SKIP LOCKED
), leased AS (
    INSERT INTO queue.leases (
        task, token, executor, session, attempt, cpu, memory, state, offered_at, answer_by
    )
    SELECT id, nextval('queue.lease_token'), executor, session, attempts + 1, cpu, memory, 1, $5, $6
    FROM picked
    ON CONFLICT (task) DO NOTHING
    RETURNING task, token, executor, attempt, cpu, memory
), trail AS (
    INSERT INTO queue.transitions (
        at, kind, state, namespace, tasks, tokens, attempts, executor, cpu, memory
    )
    SELECT $5, 2, 3, e.namespace, array_agg(l.task), array_agg(l.token), array_agg(l.attempt), e.name,
           array_agg(l.cpu), array_agg(l.memory)
    FROM leased AS l JOIN queue.executors AS e ON e.id = l.executor
    GROUP BY e.id
)
SELECT l.task, l.token, l.executor, l.attempt, l.cpu, l.memory, t.chain, t.task_id, t.queue, t.handler, t.name,
       t.priority, t.timeout_ms, t.retry_policy, t.circuit_breaker, t.schedule_id, t.nominal_at,
       CASE WHEN octet_length(p.payload) <= $7 THEN p.payload END AS payload,
       octet_length(p.payload) > $7 AS payload_is_apart
FROM leased AS l JOIN queue.tasks AS t ON t.id = l.task LEFT JOIN queue.payloads AS p ON p.task = l.task

-- name: claim_pull
-- Leases task $1 in version $2 (null: any) to pull executor $3 until $4, for request $5; at once RUNNING. $6 now.
WITH picked AS MATERIALIZED (
    SELECT k.id, k.attempts, k.cpu, k.memory
    FROM queue.tasks AS k
    WHERE k.id = $1 AND k.version = coalesce($2, k.version) AND k.ready AND k.run_at <= $6
    FOR UPDATE OF k
), leased AS (
    INSERT INTO queue.leases (
        task, token, executor, attempt, cpu, memory, state, offered_at, started_at, expires_at, request_id
    )
    SELECT id, nextval('queue.lease_token'), $3, attempts + 1, cpu, memory, 2, $6, $6, $4, $5 FROM picked
    ON CONFLICT (task) DO NOTHING
    RETURNING task, token, executor, attempt, cpu, memory
), trail AS (
    INSERT INTO queue.transitions (
        at, kind, state, namespace, tasks, tokens, attempts, executor, cpu, memory
    )
    SELECT $6, 2, 4, e.namespace, ARRAY[l.task], ARRAY[l.token], ARRAY[l.attempt], e.name, ARRAY[l.cpu],
           ARRAY[l.memory]
    FROM leased AS l JOIN queue.executors AS e ON e.id = l.executor
)
SELECT task, token, executor, attempt, cpu, memory FROM leased

-- name: lock_executors
-- A statement of its own before the counters are changed: the next one's snapshot then sees the limits that are
-- in force for as long as the lock is held.
SELECT id FROM queue.executors WHERE id = ANY ($1::bigint[]) ORDER BY id FOR NO KEY UPDATE

-- name: charge
-- Adds $3 tasks, $4 CPU, $5 memory to the use of executors $1 and returns those that may have them: nothing goes
-- beyond the limits in force, and the session $2 (null: a pull lease) is the current one and alive at $6.
UPDATE queue.executors AS e
SET used_tasks = e.used_tasks + u.tasks, used_cpu = e.used_cpu + u.cpu, used_memory = e.used_memory + u.memory
FROM unnest($1::bigint[], $2::bigint[], $3::int[], $4::int[], $5::int[]) AS u (executor, session, tasks, cpu, memory)
WHERE e.id = u.executor
  AND (u.session IS NULL OR e.session = u.session AND EXISTS (
      SELECT FROM queue.sessions AS s WHERE s.id = u.session AND s.ended_at IS NULL AND s.expires_at > $6))
  AND e.used_tasks + u.tasks <= coalesce(
      e.max_tasks, (SELECT d.max_tasks FROM queue.settings AS d WHERE d.namespace = e.namespace), 4)
  AND (u.cpu = 0 OR e.used_cpu + u.cpu <= coalesce(
      e.max_cpu, (SELECT d.max_cpu FROM queue.settings AS d WHERE d.namespace = e.namespace), 8000))
  AND (u.memory = 0 OR e.used_memory + u.memory <= coalesce(
      e.max_memory, (SELECT d.max_memory FROM queue.settings AS d WHERE d.namespace = e.namespace), 8500))
RETURNING e.id

-- name: release
-- Takes $2 tasks, $3 CPU, $4 memory off the use of executors $1, locked in the order of their ids.
WITH locked AS MATERIALIZED (
    SELECT id FROM queue.executors WHERE id = ANY ($1::bigint[]) ORDER BY id FOR NO KEY UPDATE
)
UPDATE queue.executors AS e
SET used_tasks = e.used_tasks - u.tasks, used_cpu = e.used_cpu - u.cpu, used_memory = e.used_memory - u.memory
FROM unnest($1::bigint[], $2::int[], $3::int[], $4::int[]) AS u (executor, tasks, cpu, memory)
WHERE (SELECT count(*) FROM locked) >= 0 AND e.id = u.executor

-- name: standings
-- Use and limits in force of executors $1, and the ageing threshold of their namespace.
SELECT e.id, e.used_tasks, e.used_cpu, e.used_memory,
       coalesce(e.max_tasks, d.max_tasks, 4) AS max_tasks, coalesce(e.max_cpu, d.max_cpu, 8000) AS max_cpu,
       coalesce(e.max_memory, d.max_memory, 8500) AS max_memory,
       coalesce(d.ageing_threshold_ms, 1800000) AS ageing_threshold_ms
FROM queue.executors AS e LEFT JOIN queue.settings AS d ON d.namespace = e.namespace
WHERE e.id = ANY ($1::bigint[])

-- name: payloads
SELECT task, payload FROM queue.payloads WHERE task = ANY ($1::bigint[])

-- name: sequences_of
-- Those of tasks $1 that are in a sequence, and in which; the locks of sequences come before those of tasks.
SELECT id, namespace, sequence_key
FROM queue.tasks WHERE id = ANY ($1::bigint[]) AND sequence_key IS NOT NULL

-- name: free
-- Ends the leases of tasks $1 with tokens $2, of executors $3 where not null, and returns what is known of them.
-- Tasks are locked first, in the order of their ids; the count makes that happen before the DELETE begins (a
-- join to `locked` instead is a nested loop over both). `lined_up` says that some other task than $4 was put into
-- a sequence before it could be locked here.
WITH locked AS MATERIALIZED (
    SELECT id, sequence_key FROM queue.tasks WHERE id = ANY ($1::bigint[]) ORDER BY id FOR UPDATE
), freed AS (
    DELETE FROM queue.leases AS l
    USING unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS u (task, token, executor)
    WHERE (SELECT count(*) FROM locked) >= 0
      AND l.task = u.task AND l.token = u.token AND (u.executor IS NULL OR l.executor = u.executor)
    RETURNING l.task, l.token, l.executor, l.attempt, l.cpu, l.memory, l.state, l.offered_at, l.started_at,
              l.cancel_at IS NOT NULL AS cancel_asked, l.cancel_actor
)
SELECT f.*, t.chain, t.retry_policy, t.failures, t.losses, t.namespace, e.name AS executor_name,
       (SELECT bool_or(sequence_key IS NOT NULL AND id <> ALL ($4::bigint[])) FROM locked) AS lined_up
FROM freed AS f JOIN queue.tasks AS t ON t.id = f.task JOIN queue.executors AS e ON e.id = f.executor

-- name: end_tasks
-- Moves tasks $1 to history in states $2. $3-$5 are the new counts of attempts, failures and losses; $6-$9 token,
-- executor, start and error of the attempt that ended, the token null when none did. $10 now. The payloads of
-- tasks $11 go, those of tasks $12 are kept until $13.
WITH gone AS (
    DELETE FROM queue.tasks AS t
    USING unnest(
        $1::bigint[], $2::smallint[], $3::int[], $4::int[], $5::int[], $6::bigint[], $7::text[], $8::timestamptz[],
        $9::text[]
    ) AS u (id, state, attempts, failures, losses, token, executor, started_at, error)
    WHERE t.id = u.id
    RETURNING t.id, t.namespace, t.queue, t.task_id, u.state, t.handler, t.name, t.priority, t.boost, t.cpu,
        t.memory, t.timeout_ms, t.retry_policy, t.circuit_breaker, t.schedule_id, t.nominal_at, t.trigger_depth,
        t.enqueued_at, t.order_at, t.run_at, t.chain, u.attempts, u.failures, u.losses,
        coalesce(u.token, t.last_token) AS last_token,
        CASE WHEN u.token IS NULL THEN t.last_executor ELSE u.executor END AS last_executor,
        CASE WHEN u.token IS NULL THEN t.last_started_at ELSE u.started_at END AS last_started_at,
        CASE WHEN u.token IS NULL THEN t.last_ended_at ELSE $10 END AS last_ended_at,
        coalesce(nullif(u.error, ''), CASE WHEN u.token IS NULL THEN t.last_error END) AS last_error
), dropped AS (
    DELETE FROM queue.payloads WHERE task = ANY ($11::bigint[])
), kept AS (
    UPDATE queue.payloads SET keep_until = $13 WHERE task = ANY ($12::bigint[])
)
INSERT INTO queue.history (
    id, namespace, queue, task_id, state, handler, name, priority, boost, cpu, memory, timeout_ms, retry_policy,
    circuit_breaker, schedule_id, nominal_at, trigger_depth, enqueued_at, order_at, run_at, chain, attempts,
    failures, losses, last_token, last_executor, last_started_at, last_ended_at, last_error, ended_at
)
SELECT *, $10 FROM gone

-- name: requeue
-- Puts tasks $1 back in their old place, not to run before $2. $3-$5 new counts; $6-$9 as in end_tasks; $10 now.
-- `run_at` behind `order_at` is also what tells other replicas of their return.
UPDATE queue.tasks AS t
SET version = t.version + 1, run_at = u.run_at, attempts = u.attempts, failures = u.failures, losses = u.losses,
    last_token = coalesce(u.token, t.last_token),
    last_executor = CASE WHEN u.token IS NULL THEN t.last_executor ELSE u.executor END,
    last_started_at = CASE WHEN u.token IS NULL THEN t.last_started_at ELSE u.started_at END,
    last_ended_at = CASE WHEN u.token IS NULL THEN t.last_ended_at ELSE $10 END,
    last_error = CASE WHEN u.token IS NULL THEN t.last_error ELSE nullif(u.error, '') END
FROM unnest(
    $1::bigint[], $2::timestamptz[], $3::int[], $4::int[], $5::int[], $6::bigint[], $7::text[], $8::timestamptz[],
    $9::text[]
) AS u (id, run_at, attempts, failures, losses, token, executor, started_at, error)
WHERE t.id = u.id
RETURNING t.order_at, t.id AS task, t.version, t.lane, t.level, t.cpu, t.memory, t.run_at

-- name: next_in_sequences
-- Makes the first task of each sequence $1, $2 ready, unless it is, and returns it. The caller holds the locks of
-- the sequences. $3 now.
UPDATE queue.tasks AS t SET ready = true, version = t.version + 1, run_at = greatest(t.run_at, $3)
FROM unnest($1::text[], $2::text[]) AS u (namespace, sequence_key)
CROSS JOIN LATERAL (
    SELECT id FROM queue.tasks AS h
    WHERE h.namespace = u.namespace AND h.sequence_key = u.sequence_key
    ORDER BY h.id LIMIT 1
) AS head
WHERE t.id = head.id AND NOT t.ready
RETURNING t.order_at, t.id AS task, t.version, t.lane, t.level, t.cpu, t.memory, t.run_at

-- name: record_attempts
INSERT INTO queue.attempts (
    task, chain, attempt, token, executor, offered_at, started_at, ended_at, result, category, state, exit_code,
    cpu, memory, peak_bytes, duration_ms, output_tail, error
)
SELECT * FROM unnest(
    $1::bigint[], $2::int[], $3::int[], $4::bigint[], $5::text[], $6::timestamptz[], $7::timestamptz[],
    $8::timestamptz[], $9::smallint[], $10::smallint[], $11::smallint[], $12::int[], $13::int[], $14::int[],
    $15::bigint[], $16::bigint[], $17::text[], $18::text[]
)

-- name: trail
-- Appends to the audit trail: one row for what happened alike to several tasks. $1 now.
INSERT INTO queue.transitions (
    at, kind, state, namespace, executor, actor, detail, tasks, tokens, attempts, cpu, memory
)
SELECT $1, kind, state, namespace, executor, actor, detail, array_agg(task), array_agg(token), array_agg(attempt),
       array_agg(cpu), array_agg(memory)
FROM unnest(
    $2::smallint[], $3::smallint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::bigint[],
    $10::int[], $11::int[], $12::int[]
) AS u (kind, state, namespace, executor, actor, detail, task, token, attempt, cpu, memory)
GROUP BY kind, state, namespace, executor, actor, detail

-- name: recall
-- What earlier reports of leases $1, $2 (task, token) led to, where they were of executors $3 (null: anybody).
-- An attempt that was given up for lost (3) was reported by nobody: its executor is told that it is stale.
SELECT a.task, a.token, u.executor, a.state
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS u (task, token, executor)
JOIN queue.attempts AS a ON a.token = u.token AND a.task = u.task
WHERE a.result <> 3
  AND (u.executor IS NULL OR a.executor = (SELECT e.name FROM queue.executors AS e WHERE e.id = u.executor))

-- name: start
-- Marks offers $1, $2 (task, token) of sessions $3 as accepted at $4, and returns those it found unanswered.
WITH locked AS MATERIALIZED (
    SELECT id FROM queue.tasks WHERE id = ANY ($1::bigint[]) ORDER BY id FOR UPDATE
), started AS (
    UPDATE queue.leases AS l SET state = 2, started_at = u.at, answer_by = NULL
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::timestamptz[]) AS u (task, token, session, at)
    WHERE (SELECT count(*) FROM locked) >= 0
      AND l.task = u.task AND l.token = u.token AND l.session = u.session AND l.state = 1
    RETURNING l.task, l.token, l.executor, l.attempt, l.cpu, l.memory, l.started_at
), trail AS (
    INSERT INTO queue.transitions (
        at, kind, state, namespace, tasks, tokens, attempts, executor, cpu, memory
    )
    SELECT max(s.started_at), 3, 4, e.namespace, array_agg(s.task), array_agg(s.token), array_agg(s.attempt), e.name,
           array_agg(s.cpu), array_agg(s.memory)
    FROM started AS s JOIN queue.executors AS e ON e.id = s.executor
    GROUP BY e.id
)
SELECT task, token FROM started

-- name: still_held
-- Those of the leases $1, $2 (task, token) that sessions $3 hold.
SELECT l.task, l.token
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS u (task, token, session)
JOIN queue.leases AS l ON l.task = u.task AND l.token = u.token AND l.session = u.session

-- name: register
-- Makes or renews an executor; the row stays locked until its session is the new one. A limit of 0 leaves the
-- one in force.
INSERT INTO queue.executors AS e (
    namespace, name, pull, handlers, allows_shell, allows_http, labels, cpu_count, memory_bytes, version, max_tasks,
    seen_at
)
VALUES ($1, $2, false, $3, $4, $5, $6::jsonb, $7, $8, $9, nullif($10, 0), $11)
ON CONFLICT (namespace, name) DO UPDATE SET
    pull = false, handlers = excluded.handlers, allows_shell = excluded.allows_shell,
    allows_http = excluded.allows_http, labels = excluded.labels, cpu_count = excluded.cpu_count,
    memory_bytes = excluded.memory_bytes, version = excluded.version,
    max_tasks = coalesce(excluded.max_tasks, e.max_tasks), seen_at = excluded.seen_at
RETURNING id, session

-- name: open_session
-- Begins the session that from now on is the executor's ($1) only one.
WITH opened AS (
    INSERT INTO queue.sessions (executor, instance_id, replica, started_at, beat_at, expires_at)
    VALUES ($1, $2, $3, $4, $4, $5) RETURNING id
)
UPDATE queue.executors SET session = (SELECT id FROM opened) WHERE id = $1 RETURNING session

-- name: adopt
-- Moves leases $1, $2 (task, token) that the executor $4 holds in earlier sessions of instance $5 to session $3;
-- offers among them count as accepted, since the agent says that it runs them. $6 now.
WITH locked AS MATERIALIZED (
    SELECT id FROM queue.tasks WHERE id = ANY ($1::bigint[]) ORDER BY id FOR UPDATE
)
UPDATE queue.leases AS l
SET session = $3, state = 2, started_at = coalesce(l.started_at, $6), answer_by = NULL
FROM unnest($1::bigint[], $2::bigint[]) AS u (task, token)
WHERE (SELECT count(*) FROM locked) >= 0
  AND l.task = u.task AND l.token = u.token
  AND l.session = ANY (ARRAY(SELECT s.id FROM queue.sessions AS s WHERE s.executor = $4 AND s.instance_id = $5))
RETURNING l.task, l.token

-- name: left_behind
-- Leases of executor $1 in sessions of instance $2 before session $3.
SELECT l.task, l.token, l.state
FROM queue.sessions AS s JOIN queue.leases AS l ON l.session = s.id
WHERE s.executor = $1 AND s.instance_id = $2 AND s.id < $3
ORDER BY l.task LIMIT $4

-- name: held_by
-- Leases of session $1.
SELECT l.task, l.token, l.state FROM queue.leases AS l WHERE l.session = $1 ORDER BY l.task LIMIT $2

-- name: detach
-- From here on nothing is claimed for session $1.
UPDATE queue.executors AS e SET session = NULL
FROM queue.sessions AS s WHERE s.id = $1 AND e.id = s.executor AND e.session = s.id

-- name: condemn
-- True when the open session $1 ran out before $2; from here on nothing is claimed for it.
WITH condemned AS (
    SELECT id, executor FROM queue.sessions WHERE id = $1 AND ended_at IS NULL AND expires_at < $2 FOR UPDATE
), detached AS (
    UPDATE queue.executors AS e SET session = NULL FROM condemned AS c WHERE e.id = c.executor AND e.session = c.id
)
SELECT true FROM condemned

-- name: close_sessions
-- Ends the sessions of executor $1 before session $2 (all up to it with $5) that hold no lease any more; with $3
-- only those of that instance. $4 now, $6 why.
UPDATE queue.sessions AS s SET ended_at = $4, end_reason = $6
WHERE s.executor = $1 AND s.ended_at IS NULL AND (s.id < $2 OR $5 AND s.id = $2)
  AND ($3::text IS NULL OR s.instance_id = $3)
  AND NOT EXISTS (SELECT FROM queue.leases AS l WHERE l.session = s.id)

-- name: beat
-- Renews sessions $1, and with each all of its leases, from $2 to $3; returns those that are current.
UPDATE queue.sessions AS s SET beat_at = $2, expires_at = $3
WHERE s.id = ANY ($1::bigint[]) AND s.ended_at IS NULL
  AND EXISTS (SELECT FROM queue.executors AS e WHERE e.id = s.executor AND e.session = s.id)
RETURNING s.id

-- name: successors
-- The current sessions of the executors that sessions $1 belonged to.
SELECT s.id, e.session FROM queue.sessions AS s JOIN queue.executors AS e ON e.id = s.executor
WHERE s.id = ANY ($1::bigint[])

-- name: note_load
-- Load of executors $1 as their agents measured it ($2 CPU, $3 memory, null: not said), seen at $4. Rows in use
-- by a claim are left out: nothing waits for a figure.
UPDATE queue.executors AS e
SET load_cpu = coalesce(u.cpu, e.load_cpu), load_memory = coalesce(u.memory, e.load_memory), seen_at = $4
FROM unnest($1::bigint[], $2::int[], $3::int[]) AS u (executor, cpu, memory)
WHERE e.id = u.executor AND e.id = ANY (ARRAY(
    SELECT id FROM queue.executors WHERE id = ANY ($1::bigint[]) FOR NO KEY UPDATE SKIP LOCKED))

-- name: cancelled
-- Leases of tasks $1 in sessions $2 that somebody asked to cancel, with their grace. By task, not by session: the index on sessions
-- may hold the dead entries of everything that a session has ever run.
SELECT l.session, l.task, l.token, l.cancel_grace_ms
FROM unnest($1::bigint[]) AS u (task) JOIN queue.leases AS l ON l.task = u.task
WHERE l.cancel_at IS NOT NULL AND l.session = ANY ($2::bigint[])

-- name: unanswered
-- Offers to sessions $1 whose time to answer ended after $2 and by $3.
SELECT l.session, l.task, l.token FROM queue.leases AS l
WHERE l.state = 1 AND l.answer_by > $2 AND l.answer_by <= $3 AND l.session = ANY ($1::bigint[])

-- name: vanished_offers
-- Offers whose time to answer ended after $1 and before $2, whoever holds them.
SELECT l.task, l.token, l.answer_by FROM queue.leases AS l
WHERE l.state = 1 AND l.answer_by > $1 AND l.answer_by < $2
ORDER BY l.answer_by LIMIT $3

-- name: expired_pulls
-- Pull leases that ended after $1 and before $2.
SELECT l.task, l.token, l.expires_at FROM queue.leases AS l
WHERE l.expires_at > $1 AND l.expires_at < $2
ORDER BY l.expires_at LIMIT $3

-- name: expired_sessions
-- Open sessions that ran out before $1.
SELECT s.id, s.executor FROM queue.sessions AS s
WHERE s.ended_at IS NULL AND s.expires_at < $1
ORDER BY s.expires_at LIMIT $2

-- name: ahead
-- The next $5 candidates of each list (lane $1, level $2) after its cursor ($3 order_at, $4 task), up to $6 (now).
-- Leased tasks are passed over by a look-up each: as an anti-join the planner, when it believes that `leases` is
-- empty, reads all of it. IS NOT TRUE is believed to hold for half of the rows; IS NULL for one in 200, and then a
-- long list is sorted as a whole. Those that wait for a retry are passed over too: `due` finds them in time.
SELECT t.* FROM unnest($1::text[], $2::smallint[], $3::timestamptz[], $4::bigint[]) AS u (lane, level, order_at, task)
CROSS JOIN LATERAL (
    SELECT t.order_at, t.id AS task, t.version, t.lane, t.level, t.cpu, t.memory
    FROM queue.tasks AS t
    WHERE t.ready AND t.lane = u.lane AND t.level = u.level
      AND (t.order_at, t.id) > (u.order_at, u.task) AND t.order_at <= $6 AND t.run_at <= $6
      AND (SELECT true FROM queue.leases AS l WHERE l.task = t.id) IS NOT TRUE
    ORDER BY t.order_at, t.id LIMIT $5
) AS t

-- name: between
-- As `ahead`, for what may have appeared behind a cursor: after ($3, $4) and up to ($5, $6). $7 limit, $8 now.
SELECT t.* FROM unnest(
    $1::text[], $2::smallint[], $3::timestamptz[], $4::bigint[], $5::timestamptz[], $6::bigint[]
) AS u (lane, level, after_at, after_task, until_at, until_task)
CROSS JOIN LATERAL (
    SELECT t.order_at, t.id AS task, t.version, t.lane, t.level, t.cpu, t.memory
    FROM queue.tasks AS t
    WHERE t.ready AND t.lane = u.lane AND t.level = u.level
      AND (t.order_at, t.id) > (u.after_at, u.after_task) AND (t.order_at, t.id) <= (u.until_at, u.until_task)
      AND t.run_at <= $8
      AND (SELECT true FROM queue.leases AS l WHERE l.task = t.id) IS NOT TRUE
    ORDER BY t.order_at, t.id LIMIT $7
) AS t

-- name: due
-- Tasks that came back to their old place (retry waits that are over, returned offers, the next of a sequence)
-- after ($1 run_at, $2 task) and up to $3 (now), oldest return first.
SELECT t.order_at, t.id AS task, t.version, t.lane, t.level, t.cpu, t.memory, t.run_at,
       (SELECT l.token FROM queue.leases AS l WHERE l.task = t.id) IS NULL AND t.ready AS is_free
FROM queue.tasks AS t
WHERE t.run_at > t.order_at AND (t.run_at, t.id) > ($1, $2) AND t.run_at <= $3
ORDER BY t.run_at, t.id LIMIT $4

-- name: levels
-- The lists after ($1 lane, $2 level) and before ($3, $4) that have tasks: asked for the gaps between the lists that
-- are known, it finds new ones and never reads through lists.
WITH RECURSIVE found AS (
    SELECT u.end_lane, u.end_level, n.lane, n.level
    FROM unnest($1::text[], $2::smallint[], $3::text[], $4::smallint[]) AS u (lane, level, end_lane, end_level)
    CROSS JOIN LATERAL (
        SELECT t.lane, t.level FROM queue.tasks AS t
        WHERE t.ready AND (t.lane, t.level) > (u.lane, u.level) AND (t.lane, t.level) < (u.end_lane, u.end_level)
        ORDER BY t.lane, t.level LIMIT 1
    ) AS n
    UNION ALL
    SELECT f.end_lane, f.end_level, n.lane, n.level
    FROM found AS f
    CROSS JOIN LATERAL (
        SELECT t.lane, t.level FROM queue.tasks AS t
        WHERE t.ready AND (t.lane, t.level) > (f.lane, f.level) AND (t.lane, t.level) < (f.end_lane, f.end_level)
        ORDER BY t.lane, t.level LIMIT 1
    ) AS n
)
SELECT lane, level FROM found
