-- Statements with a lock, a CTE or a plan that matters. Lock order everywhere: cursors -> schedules (in order
-- of their key) -> gatherings -> outbox -> fires (in order of id) -> stats -> backfills; for calendars see
-- calendars.sql. Whoever fires a backfill holds its schedule and its row, and only adds to the others. The one
-- exception: a change that makes a schedule the first listener of outcomes writes the cursor last. Should that
-- meet the follower of outcomes, PostgreSQL ends one of the two, and its unit is repeated.

-- name: claim_due
-- $1 now, $2 limit. Due schedules, earliest first. SKIP LOCKED lets replicas plan side by side; a row that
-- another has just advanced is looked at again after its lock and falls out by due_at.
SELECT * FROM scheduler.schedules
WHERE due_at <= $1 AND due_at IS NOT NULL AND invalid_reason = ''
ORDER BY due_at
LIMIT $2
FOR NO KEY UPDATE SKIP LOCKED

-- name: next_due
-- When the next schedule comes due.
SELECT min(due_at) FROM scheduler.schedules WHERE due_at IS NOT NULL AND invalid_reason = ''

-- name: lock_schedule
-- $1 namespace, $2 schedule_id.
SELECT * FROM scheduler.schedules WHERE namespace = $1 AND schedule_id = $2 FOR NO KEY UPDATE

-- name: lock_listeners
-- $1 namespaces, $2 types, pairwise; $3 types that no `*` stands for. Enabled schedules that listen to any of
-- them. Those with `*` are few and have an index of their own, so that nobody else's schedules are looked at.
-- The order of locks keeps publishers from deadlocks; the locks keep the order of their fires.
WITH heard AS MATERIALIZED (
    SELECT s.incarnation
    FROM unnest($1::text[], $2::text[]) AS e(namespace, type)
    JOIN scheduler.schedules s ON s.namespace = e.namespace AND s.event_type = e.type
    WHERE s.event_type IS NOT NULL
    UNION
    SELECT s.incarnation
    FROM unnest($1::text[], $2::text[]) AS e(namespace, type)
    JOIN scheduler.schedules s ON s.namespace = e.namespace
    WHERE s.event_type LIKE '%*%' AND e.type <> ALL ($3::text[])
      AND e.type LIKE replace(replace(s.event_type, '_', '\_'), '*', '%')
)
SELECT s.* FROM scheduler.schedules s
WHERE s.incarnation IN (SELECT incarnation FROM heard) AND s.enabled AND s.event_type IS NOT NULL
ORDER BY s.namespace, s.schedule_id
FOR NO KEY UPDATE

-- name: advance
-- Pairwise: $1 incarnations, $2 watermarks, $3 next fires, $4 due times, $5 fires made. Their rows are locked.
UPDATE scheduler.schedules s
SET watermark = u.watermark, next_fire = u.next_fire, due_at = u.due_at, fire_count = s.fire_count + u.made
FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[], $5::bigint[])
  AS u(incarnation, watermark, next_fire, due_at, made)
WHERE s.incarnation = u.incarnation

-- name: count_fires
-- Pairwise: $1 incarnations, $2 fires made. Their rows are locked.
UPDATE scheduler.schedules s
SET fire_count = s.fire_count + u.made
FROM unnest($1::uuid[], $2::bigint[]) AS u(incarnation, made)
WHERE s.incarnation = u.incarnation

-- name: record_fires
-- Pairwise $1..$20; $21 now, in the order in which they shall be sent; $17 (due_task) null: nothing to send.
-- A fire that is there already is left alone and not returned.
WITH item AS MATERIALIZED (
    SELECT * FROM unnest(
        $1::text[], $2::text[], $3::uuid[], $4::bigint[], $5::smallint[], $6::text[], $7::text[],
        $8::timestamptz[], $9::timestamptz[], $10::bigint[], $11::text[], $12::text[], $13::smallint[],
        $14::text[], $15::text[], $16::text[], $17::bytea[], $18::smallint[], $19::boolean[], $20::text[]
    ) WITH ORDINALITY AS u(
        namespace, schedule_id, incarnation, generation, kind, key, fire_id,
        nominal_at, last_nominal_at, count, local_time, utc_offset, disposition,
        detail, event, actor, due_task, shard, takes_run, backfill_id, place
    )
), made AS (
    INSERT INTO scheduler.fires (
        namespace, schedule_id, incarnation, generation, kind, key, fire_id, nominal_at, last_nominal_at,
        count, local_time, utc_offset, fired_at, disposition, detail, settled_at, event, actor, backfill_id
    )
    SELECT namespace, schedule_id, incarnation, generation, kind, key, fire_id, nominal_at, last_nominal_at,
        count, local_time, utc_offset, $21, disposition, detail,
        CASE WHEN disposition = 1 THEN NULL ELSE $21::timestamptz END, event, actor, backfill_id
    FROM item ORDER BY place
    ON CONFLICT (incarnation, kind, key) DO NOTHING
    RETURNING id, incarnation, kind, key
), queued AS (
    INSERT INTO scheduler.outbox (
        fire, shard, namespace, schedule_id, fire_id, nominal_at, due_task, run_of
    )
    SELECT made.id, shard, namespace, schedule_id, fire_id, nominal_at, due_task,
        CASE WHEN takes_run THEN incarnation END
    FROM made JOIN item USING (incarnation, kind, key)
    WHERE due_task IS NOT NULL
)
SELECT item.place, made.id FROM made JOIN item USING (incarnation, kind, key)

-- name: take_unsent
-- $1 shards, $2 limit, $3 now. Marks what goes out next, oldest first: from then on only a verdict removes
-- it. No SKIP LOCKED here: to pass over a row would put a later fire of its schedule first.
UPDATE scheduler.outbox SET sent_at = $3
WHERE fire = ANY (ARRAY(
    SELECT fire FROM scheduler.outbox
    WHERE shard = ANY ($1::smallint[]) AND sent_at IS NULL
    ORDER BY fire
    LIMIT $2
    FOR UPDATE
)) AND sent_at IS NULL
RETURNING fire, namespace, schedule_id, fire_id, due_task

-- name: unanswered
-- $1 shards, $2 after this fire, $3 sent by then, $4 limit, $5 fires that are on their way here.
SELECT fire, namespace, schedule_id, fire_id, due_task FROM scheduler.outbox
WHERE shard = ANY ($1::smallint[]) AND fire > $2 AND sent_at <= $3 AND fire <> ALL ($5::bigint[])
ORDER BY fire
LIMIT $4

-- name: settle
-- Pairwise: $1 fires, $2 dispositions, $3 details; $4 now; $5 whether those as well that take one of the
-- max_runs of a schedule, which is locked then. A fire is settled once; the outbox forgets it in the same
-- transaction. Counts fires by time and event that reached the queue, and what became of those of backfills.
-- Returns how many were there.
WITH gone AS (
    DELETE FROM scheduler.outbox WHERE fire = ANY ($1::bigint[]) AND (run_of IS NULL OR $5) RETURNING fire
), locked AS MATERIALIZED (
    SELECT id FROM scheduler.fires WHERE id = ANY (ARRAY(SELECT fire FROM gone)) ORDER BY id FOR NO KEY UPDATE
), settled AS (
    UPDATE scheduler.fires f
    SET disposition = v.disposition, detail = v.detail, settled_at = $4
    FROM unnest($1::bigint[], $2::smallint[], $3::text[]) AS v(fire, disposition, detail)
    WHERE f.id = v.fire AND f.id = ANY (ARRAY(SELECT id FROM locked)) AND f.disposition = 1
    RETURNING f.namespace, f.incarnation, f.kind, f.backfill_id, f.disposition
), ran AS MATERIALIZED (
    SELECT incarnation, count(*) AS runs FROM settled
    WHERE kind IN (1, 2) AND disposition = 2
    GROUP BY incarnation
), counters AS MATERIALIZED (
    SELECT incarnation FROM scheduler.stats
    WHERE incarnation = ANY (ARRAY(SELECT incarnation FROM ran))
    ORDER BY incarnation
    FOR NO KEY UPDATE
), counted AS (
    UPDATE scheduler.stats s SET run_count = s.run_count + ran.runs
    FROM ran
    WHERE s.incarnation = ran.incarnation AND s.incarnation = ANY (ARRAY(SELECT incarnation FROM counters))
), filled AS (
    UPDATE scheduler.backfills b SET accepted = b.accepted + v.accepted, refused = b.refused + v.refused
    FROM (
        SELECT namespace, backfill_id, count(*) FILTER (WHERE disposition = 2) AS accepted,
            count(*) FILTER (WHERE disposition <> 2) AS refused
        FROM settled WHERE backfill_id <> ''
        GROUP BY namespace, backfill_id
    ) v
    WHERE b.namespace = v.namespace AND b.backfill_id = v.backfill_id
)
SELECT count(*) FROM gone

-- name: lock_run_out
-- $1 fires. The schedules of whose max_runs they take one, in the order of their locks.
SELECT s.* FROM scheduler.schedules s
WHERE s.incarnation = ANY (ARRAY(
    SELECT run_of FROM scheduler.outbox WHERE fire = ANY ($1::bigint[]) AND run_of IS NOT NULL
))
ORDER BY s.namespace, s.schedule_id
FOR NO KEY UPDATE

-- name: runs_taken
-- $1 incarnations, which are locked. Fires by time and event that reached the queue, and those on their way.
SELECT s.incarnation, s.run_count,
    (SELECT count(*) FROM scheduler.outbox o WHERE o.run_of = s.incarnation) AS pending
FROM scheduler.stats s WHERE s.incarnation = ANY ($1::uuid[])

-- name: reserve_runs
-- $1 incarnation, which is locked and has just got max_runs: its fires on their way count from now on.
UPDATE scheduler.outbox o SET run_of = f.incarnation
FROM scheduler.fires f
WHERE f.id = o.fire AND f.incarnation = $1 AND f.kind IN (1, 2) AND o.run_of IS NULL

-- name: drop_unsent
-- $1 namespace, $2 schedule_id, $3 detail, $4 now, $5 disposition. What was never sent is settled, that of
-- backfills as refused; its schedule is locked. A row that is being sent meanwhile is looked at again after its
-- lock and stays.
WITH gone AS (
    DELETE FROM scheduler.outbox
    WHERE namespace = $1 AND schedule_id = $2 AND sent_at IS NULL
    RETURNING fire
), settled AS (
    UPDATE scheduler.fires SET disposition = $5, detail = $3, settled_at = $4
    WHERE id IN (SELECT fire FROM gone) AND disposition = 1
    RETURNING backfill_id
)
UPDATE scheduler.backfills b SET refused = b.refused + v.refused
FROM (
    SELECT backfill_id, count(*) AS refused FROM settled WHERE backfill_id <> '' GROUP BY backfill_id
) v
WHERE b.namespace = $1 AND b.backfill_id = v.backfill_id

-- name: record_events
-- Pairwise $1..$9; $10 now. Returns those that are new.
INSERT INTO scheduler.events (
    namespace, source, event_id, type, subject, time, data, depth, actor, received_at
)
SELECT u.*, $10 FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::bytea[], $8::int[],
    $9::text[]
) AS u
ON CONFLICT DO NOTHING
RETURNING namespace, source, event_id

-- name: link_fires
-- Pairwise: $1 namespaces, $2 sources, $3 event ids, $4 fires. Writes to each event the fires that it caused.
UPDATE scheduler.events e SET fires = u.fires
FROM (
    SELECT namespace, source, event_id, array_agg(fire ORDER BY place) AS fires
    FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[])
      WITH ORDINALITY AS p(namespace, source, event_id, fire, place)
    GROUP BY namespace, source, event_id
) u
WHERE e.namespace = u.namespace AND e.source = u.source AND e.event_id = u.event_id

-- name: known_events
-- Pairwise: $1 namespaces, $2 sources, $3 event ids.
SELECT e.* FROM scheduler.events e
JOIN unnest($1::text[], $2::text[], $3::text[]) AS u(namespace, source, event_id)
  USING (namespace, source, event_id)

-- name: lock_cursor
-- $1 name. Whoever holds it is the only one who applies.
SELECT cursor, all_tasks FROM scheduler.cursors WHERE name = $1 FOR UPDATE

-- name: move_cursor
-- $1 name, $2 cursor, $3 now.
UPDATE scheduler.cursors SET cursor = $2, updated_at = $3 WHERE name = $1

-- name: want_all_tasks
-- $1 name, $2 wanted.
UPDATE scheduler.cursors SET all_tasks = $2 WHERE name = $1 AND all_tasks <> $2

-- name: count_outcomes
-- Pairwise, in the order in which they came: $1 namespaces, $2 task ids, $3 chains, $4 failed, $5 succeeded,
-- $6 duration in ms, $7 start of the last attempt. Each (task, chain) counts once: fires.chain remembers the
-- last one. Later chains are redrives, which do not count as executions of the schedule. Failures in a row are
-- those of fires by time and event; a success cuts them into stretches, of which the first goes on from what
-- was stored. Returns for each schedule how many in a row it had at most, when it had any.
WITH counted AS MATERIALIZED (
    SELECT f.id, f.incarnation, f.kind, o.*
    FROM unnest($1::text[], $2::text[], $3::int[], $4::boolean[], $5::boolean[], $6::bigint[],
        $7::timestamptz[]) WITH ORDINALITY
        AS o(namespace, task_id, chain, failed, succeeded, duration_ms, started_at, place)
    JOIN scheduler.fires f ON f.fire_id = o.task_id AND f.namespace = o.namespace AND f.fire_id <> ''
    WHERE f.chain < o.chain
    ORDER BY f.id
    FOR NO KEY UPDATE OF f
), marked AS (
    UPDATE scheduler.fires f SET chain = c.chain
    FROM (SELECT id, max(chain) AS chain FROM counted GROUP BY id) c
    WHERE f.id = c.id
), sums AS (
    SELECT incarnation, count(*) FILTER (WHERE chain = 1) AS ended,
        count(*) FILTER (WHERE failed AND chain = 1) AS failed,
        count(*) FILTER (WHERE succeeded AND chain = 1) AS succeeded,
        coalesce(sum(duration_ms) FILTER (WHERE succeeded AND chain = 1), 0) AS duration_ms,
        max(started_at) AS started_at
    FROM counted GROUP BY incarnation
), stretches AS (
    SELECT incarnation, stretch, count(*) FILTER (WHERE failed) AS failures
    FROM (
        SELECT incarnation, failed,
            count(*) FILTER (WHERE succeeded) OVER (PARTITION BY incarnation ORDER BY place) AS stretch
        FROM counted WHERE chain = 1 AND kind IN (1, 2)
    ) placed
    GROUP BY incarnation, stretch
), counters AS MATERIALIZED (
    SELECT incarnation, failures_in_row FROM scheduler.stats
    WHERE incarnation = ANY (ARRAY(SELECT incarnation FROM sums))
    ORDER BY incarnation
    FOR NO KEY UPDATE
), in_row AS MATERIALIZED (
    SELECT incarnation, max(failures) AS longest, (array_agg(failures ORDER BY stretch DESC))[1] AS last
    FROM (
        SELECT incarnation, stretch,
            stretches.failures + CASE WHEN stretch = 0 THEN counters.failures_in_row ELSE 0 END AS failures
        FROM stretches JOIN counters USING (incarnation)
    ) continued
    GROUP BY incarnation
), added AS (
    UPDATE scheduler.stats s
    SET execution_count = s.execution_count + sums.ended,
        failure_count = s.failure_count + sums.failed,
        success_count = s.success_count + sums.succeeded,
        success_ms = s.success_ms + sums.duration_ms,
        last_execute_at = greatest(s.last_execute_at, sums.started_at),
        failures_in_row = coalesce(in_row.last, s.failures_in_row)
    FROM sums LEFT JOIN in_row USING (incarnation)
    WHERE s.incarnation = sums.incarnation
)
SELECT incarnation, longest FROM in_row WHERE longest > 0

-- name: lock_concerned
-- Pairwise: $1 namespaces, $2 types; $3 namespaces, $4 schedule ids. Enabled schedules that listen to any of the
-- types, and those of the ids that failures can disable, in one order of locks.
SELECT s.* FROM scheduler.schedules s
WHERE s.enabled AND s.incarnation = ANY (ARRAY(
    SELECT incarnation FROM scheduler.schedules
    WHERE enabled AND event_type IS NOT NULL
      AND (namespace, event_type) IN (SELECT * FROM unnest($1::text[], $2::text[]))
    UNION
    SELECT incarnation FROM scheduler.schedules
    WHERE pause_on_failure > 0 AND (namespace, schedule_id) IN (SELECT * FROM unnest($3::text[], $4::text[]))
))
ORDER BY s.namespace, s.schedule_id
FOR NO KEY UPDATE

-- name: forget_failures
-- $1 incarnation.
UPDATE scheduler.stats SET failures_in_row = 0 WHERE incarnation = $1 AND failures_in_row > 0

-- name: created_before
-- $1 namespace, $2 request ids. The rows as they were when the requests created them.
SELECT c.request_id, c.fingerprint, r.* FROM scheduler.creations c
CROSS JOIN LATERAL jsonb_populate_record(NULL::scheduler.schedules, c.created) r
WHERE c.namespace = $1 AND c.request_id = ANY ($2::text[])

-- name: create_schedules
-- $1 rows of schedules in order of their keys, as JSON. Pairwise with them: $2 incarnations, $3 request ids (empty:
-- none), $4 fingerprints. $5 actor, $6 now. Returns what was made; `raced` when a request id was in use.
WITH made AS (
    INSERT INTO scheduler.schedules
    SELECT * FROM jsonb_populate_recordset(NULL::scheduler.schedules, $1::jsonb)
    ON CONFLICT DO NOTHING
    RETURNING *
), counted AS (
    INSERT INTO scheduler.stats (incarnation) SELECT incarnation FROM made
), audited AS (
    INSERT INTO scheduler.actions (at, namespace, actor, action, schedule_id, generation, detail)
    SELECT $6, namespace, $5, 'create', schedule_id, generation, '' FROM made
), asked AS MATERIALIZED (
    SELECT u.*, made.namespace, to_jsonb(made) AS created
    FROM unnest($2::uuid[], $3::text[], $4::bytea[]) AS u(incarnation, request_id, fingerprint)
    JOIN made USING (incarnation)
    WHERE u.request_id <> ''
    ORDER BY u.request_id
), remembered AS (
    INSERT INTO scheduler.creations (namespace, request_id, fingerprint, created, created_at)
    SELECT namespace, request_id, fingerprint, created, $6 FROM asked
    ON CONFLICT DO NOTHING
    RETURNING request_id
)
SELECT incarnation, (SELECT count(*) FROM asked) > (SELECT count(*) FROM remembered) AS raced FROM made

-- name: waiting_for_handover
-- $1 namespace, $2 instant, $3 number of a fire. What is due by then and has no verdict yet: schedules to plan,
-- fires to settle, those up to $3 whatever the clock of the replica that made them says.
SELECT
    (SELECT count(*) FROM scheduler.schedules
     WHERE namespace = $1 AND due_at <= $2 AND due_at IS NOT NULL AND invalid_reason = '') AS unplanned,
    (SELECT count(*) FROM scheduler.outbox
     WHERE namespace = $1 AND (nominal_at <= $2 OR fire <= $3)) AS unsettled,
    (SELECT coalesce(max(id), 0) FROM scheduler.fires) AS last_fire

-- name: settled_since
-- $1 namespace, $2 instant, $3 after this fire, $4 verdicts. Fires made since then that have their verdict.
SELECT count(*) FROM scheduler.fires
WHERE id > $3 AND namespace = $1 AND nominal_at <= $2 AND disposition = ANY ($4::smallint[])

-- name: prune_fires
-- $1 older than, $2 limit. Numbers rise with time, so the oldest stand first and no index by age is needed.
-- A fire that waits for its verdict is never pruned.
DELETE FROM scheduler.fires
WHERE id = ANY (ARRAY(SELECT id FROM scheduler.fires ORDER BY id LIMIT $2))
  AND fired_at < $1 AND disposition <> 1

-- name: prune_events
-- $1 older than, $2 limit.
DELETE FROM scheduler.events e
USING (SELECT namespace, source, event_id FROM scheduler.events WHERE received_at < $1
       ORDER BY received_at LIMIT $2) old
WHERE (e.namespace, e.source, e.event_id) = (old.namespace, old.source, old.event_id)

-- name: prune_creations
-- $1 older than, $2 limit.
DELETE FROM scheduler.creations c
USING (SELECT namespace, request_id FROM scheduler.creations WHERE created_at < $1
       ORDER BY created_at LIMIT $2) old
WHERE (c.namespace, c.request_id) = (old.namespace, old.request_id)

-- name: prune_backfills
-- $1 older than, $2 limit. Those that have ended.
DELETE FROM scheduler.backfills b
USING (SELECT namespace, backfill_id FROM scheduler.backfills WHERE ended_at < $1 AND ended_at IS NOT NULL
       ORDER BY ended_at LIMIT $2) old
WHERE (b.namespace, b.backfill_id) = (old.namespace, old.backfill_id)

-- name: prune_moved_schedules
-- $1 older than, $2 limit.
DELETE FROM scheduler.moved_schedules WHERE id = ANY (ARRAY(
    SELECT id FROM scheduler.moved_schedules WHERE moved_at < $1 ORDER BY moved_at LIMIT $2
))
