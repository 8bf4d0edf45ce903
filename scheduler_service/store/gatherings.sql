-- Gatherings of events. Lock order: schedules (in order of their key) -> gatherings (in order of id) -> outbox
-- -> fires. Whoever adds to a gathering holds the lock of its schedule.

-- name: open_gatherings
-- $1 incarnations, $2 now. The one of each that takes events: one that is due already is left to fire.
SELECT DISTINCT ON (incarnation) incarnation, id, count FROM scheduler.gatherings
WHERE incarnation = ANY ($1::uuid[]) AND takes AND due_at > $2
ORDER BY incarnation, id DESC

-- name: begin_gathering
-- $1 namespace, $2 schedule_id, $3 incarnation, $4 due_at, $5 takes more, $6 count.
INSERT INTO scheduler.gatherings (namespace, schedule_id, incarnation, due_at, takes, count)
VALUES ($1, $2, $3, $4, $5, $6)
RETURNING id

-- name: grow_gathering
-- $1 id, $2 due_at (null: as it is), $3 takes more, $4 count to add.
UPDATE scheduler.gatherings SET due_at = coalesce($2, due_at), takes = $3, count = count + $4 WHERE id = $1

-- name: add_gathered
-- $1 gathering; pairwise $2 fires, $3 sources, $4 event ids.
INSERT INTO scheduler.gathered (gathering, fire, source, event_id)
SELECT $1, u.* FROM unnest($2::bigint[], $3::text[], $4::text[]) AS u

-- name: due_gatherings
-- $1 now, $2 limit. Not locked: their schedules are locked first.
SELECT id, incarnation FROM scheduler.gatherings
WHERE due_at <= $1 AND outcome IS NULL
ORDER BY due_at, id
LIMIT $2

-- name: lock_schedules_of
-- $1 incarnations.
SELECT * FROM scheduler.schedules WHERE incarnation = ANY ($1::uuid[])
ORDER BY namespace, schedule_id
FOR NO KEY UPDATE

-- name: lock_gatherings
-- $1 ids, $2 now. What another replica has fired meanwhile, or an event has put off, falls out.
SELECT id, namespace, schedule_id, incarnation FROM scheduler.gatherings
WHERE id = ANY ($1::bigint[]) AND due_at <= $2 AND outcome IS NULL
ORDER BY id
FOR UPDATE

-- name: gathered_last
-- $1 gathering, $2 limit. The last of its events, latest first, with their fires.
SELECT g.fire, g.source, g.event_id, f.fire_id, f.nominal_at
FROM scheduler.gathered g JOIN scheduler.fires f ON f.id = g.fire
WHERE g.gathering = $1
ORDER BY g.fire DESC
LIMIT $2

-- name: carry_gathered
-- $1 gathering, $2 fire, $3 shard, $4 due_task, $5 run_of. That fire is on its way to the queue.
WITH carried AS (
    DELETE FROM scheduler.gathered WHERE gathering = $1 AND fire = $2
)
INSERT INTO scheduler.outbox (fire, shard, namespace, schedule_id, fire_id, nominal_at, due_task, run_of)
SELECT id, $3, namespace, schedule_id, fire_id, nominal_at, $4, $5
FROM scheduler.fires WHERE id = $2 AND disposition = 1

-- name: reject_gathered
-- $1 gathering, $2 fire, $3 detail, $4 now. That fire does not reach the queue.
WITH carried AS (
    DELETE FROM scheduler.gathered WHERE gathering = $1 AND fire = $2
)
UPDATE scheduler.fires SET disposition = 4, detail = $3, settled_at = $4 WHERE id = $2 AND disposition = 1

-- name: close_gathering
-- $1 id, $2 outcome and $3 detail of the events that are left in it.
UPDATE scheduler.gatherings SET takes = false, outcome = $2, detail = $3 WHERE id = $1

-- name: settle_gathered
-- $1 limit, $2 now. Events of closed gatherings; a gathering may have more than one transaction should take.
WITH taken AS MATERIALIZED (
    DELETE FROM scheduler.gathered
    WHERE (gathering, fire) IN (
        SELECT g.gathering, g.fire FROM scheduler.gatherings c JOIN scheduler.gathered g ON g.gathering = c.id
        WHERE c.outcome IS NOT NULL
        ORDER BY g.fire
        LIMIT $1
        FOR UPDATE OF g SKIP LOCKED
    )
    RETURNING gathering, fire
)
UPDATE scheduler.fires f
SET disposition = c.outcome, detail = c.detail, settled_at = $2
FROM taken JOIN scheduler.gatherings c ON c.id = taken.gathering
WHERE f.id = taken.fire AND f.disposition = 1

-- name: drop_settled_gatherings
DELETE FROM scheduler.gatherings c
WHERE c.outcome IS NOT NULL AND NOT EXISTS (SELECT FROM scheduler.gathered g WHERE g.gathering = c.id)

-- name: next_gathering
SELECT min(due_at) FROM scheduler.gatherings WHERE outcome IS NULL

-- name: overdue_gatherings
-- $1 instant.
SELECT count(*) FROM scheduler.gatherings WHERE due_at < $1 AND outcome IS NULL

-- name: hurry_gatherings
-- $1 incarnation, $2 now. Its schedule is deleted by this transaction.
UPDATE scheduler.gatherings SET due_at = $2, takes = false
WHERE incarnation = $1 AND takes AND due_at > $2

-- name: throttles
-- $1 incarnations.
SELECT incarnation, fired_at FROM scheduler.throttles WHERE incarnation = ANY ($1::uuid[])

-- name: save_throttles
-- $1 incarnations, $2 now. Their schedules are locked by this transaction.
INSERT INTO scheduler.throttles (incarnation, fired_at) SELECT u, $2 FROM unnest($1::uuid[]) AS u
ON CONFLICT (incarnation) DO UPDATE SET fired_at = EXCLUDED.fired_at

-- name: drop_throttle
-- $1 incarnation.
DELETE FROM scheduler.throttles WHERE incarnation = $1
