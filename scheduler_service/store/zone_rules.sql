-- Rules of time zones, and the schedules that other rules move.

-- name: lock_zone_rules
-- One replica at a time brings them up to date; reading goes on.
LOCK TABLE scheduler.zone_releases IN SHARE ROW EXCLUSIVE MODE

-- name: last_release
SELECT release FROM scheduler.zone_releases ORDER BY id DESC LIMIT 1

-- name: save_rules
-- Pairwise: $1 names, $2 rules.
INSERT INTO scheduler.zone_rules (name, rules)
SELECT * FROM unnest($1::text[], $2::bytea[])
ON CONFLICT (name) DO UPDATE SET rules = excluded.rules

-- name: lock_in_zones
-- $1 zones, $2 namespace, $3 schedule_id, $4 limit. Enabled schedules by time in those zones beyond (namespace,
-- id), in the order of their locks.
SELECT * FROM scheduler.schedules
WHERE (namespace, schedule_id) > ($2, $3) AND next_fire IS NOT NULL AND invalid_reason = ''
  AND timing::jsonb->>'zone' = ANY ($1::text[])
ORDER BY namespace, schedule_id
LIMIT $4
FOR NO KEY UPDATE

-- name: record_moved
-- Pairwise: $1 namespaces, $2 schedule ids, $3 zones, $6 and $7 arrays of instants as text; $4 release, $5 now.
INSERT INTO scheduler.moved_schedules (
    namespace, schedule_id, time_zone, release, moved_at, old_times, new_times
)
SELECT namespace, schedule_id, time_zone, $4, $5, old_times::timestamptz[], new_times::timestamptz[]
FROM unnest($1::text[], $2::text[], $3::text[], $6::text[], $7::text[])
  AS u(namespace, schedule_id, time_zone, old_times, new_times)

-- name: record_release
-- $1 release, $2 now, $3 schedules moved.
INSERT INTO scheduler.zone_releases (release, applied_at, moved) VALUES ($1, $2, $3)
