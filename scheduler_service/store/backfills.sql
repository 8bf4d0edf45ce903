-- Backfills. Lock order: schedules -> backfills; settling counts in them after stats.

-- name: claim_backfill
-- $1 now. A backfill whose turn has come, with its schedule locked; one that another replica has is passed over.
-- The turn is looked at again under the lock.
SELECT s.*, b.backfill_id FROM scheduler.backfills b
JOIN scheduler.schedules s ON s.incarnation = b.incarnation
WHERE b.state = 1 AND b.turn_at <= $1
ORDER BY b.turn_at
LIMIT 1
FOR NO KEY UPDATE OF s SKIP LOCKED

-- name: lock_backfill
-- $1 namespace, $2 backfill_id.
SELECT * FROM scheduler.backfills WHERE namespace = $1 AND backfill_id = $2 FOR NO KEY UPDATE

-- name: next_turn
-- When the next backfill has its turn.
SELECT min(turn_at) FROM scheduler.backfills WHERE state = 1

-- name: cancel_backfills_of
-- $1 incarnation, $2 now, $3 state. Its schedule is locked.
UPDATE scheduler.backfills SET state = $3, next_at = NULL, ended_at = $2
WHERE incarnation = $1 AND state = 1
