-- Schedules that should have fired. One that is due only for the record of a closed instant is none of them.

-- name: unannounced
-- $1 due before, $2 source, $3 type, $4 limit. Where somebody listens and the event that says so is not there
-- yet. Those that cannot be read are found by an index of their own. The id is that of `overdue_event_id`.
WITH listening AS MATERIALIZED (
    SELECT DISTINCT namespace FROM scheduler.schedules
    WHERE enabled AND event_type IS NOT NULL AND event_type = $3
), late AS (
    SELECT namespace, schedule_id, incarnation, next_fire, due_at FROM scheduler.schedules
    WHERE due_at < $1 AND due_at IS NOT NULL AND next_fire < $1 AND invalid_reason = ''
    UNION ALL
    SELECT namespace, schedule_id, incarnation, next_fire, due_at FROM scheduler.schedules
    WHERE due_at < $1 AND next_fire < $1 AND invalid_reason <> ''
)
SELECT late.* FROM late JOIN listening USING (namespace)
WHERE NOT EXISTS (
    SELECT FROM scheduler.events e
    WHERE e.namespace = late.namespace AND e.source = $2
      AND e.event_id = late.incarnation::text || '/'
        || to_char(late.due_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
)
ORDER BY late.due_at
LIMIT $4

-- name: count_overdue
-- $1 due before.
SELECT (
    SELECT count(*) FROM scheduler.schedules
    WHERE due_at < $1 AND due_at IS NOT NULL AND next_fire < $1 AND invalid_reason = ''
) + (
    SELECT count(*) FROM scheduler.schedules WHERE due_at < $1 AND next_fire < $1 AND invalid_reason <> ''
)
