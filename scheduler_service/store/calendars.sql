-- Calendars. Lock order: schedules -> calendars that are newly named in them; whoever changes a calendar locks
-- it first and then the schedules that name it already, which are others.

-- name: named_calendars
-- Pairwise: $1 namespaces, $2 ids.
SELECT namespace, calendar_id, body FROM scheduler.calendars
WHERE (namespace, calendar_id) IN (SELECT * FROM unnest($1::text[], $2::text[])) AND deleted_at IS NULL

-- name: name_calendars
-- $1 namespace, $2 ids. The same under a lock: nobody changes or deletes them before this transaction ends, so
-- that whoever does finds the schedule that names them.
SELECT namespace, calendar_id, body FROM scheduler.calendars
WHERE namespace = $1 AND calendar_id = ANY ($2::text[]) AND deleted_at IS NULL
ORDER BY calendar_id
FOR SHARE

-- name: lock_calendar
-- $1 namespace, $2 id.
SELECT * FROM scheduler.calendars
WHERE namespace = $1 AND calendar_id = $2 AND deleted_at IS NULL
FOR UPDATE

-- name: lock_calendar_users
-- $1 namespace, $2 id, $3 schedule ids beyond this one, $4 limit. Those that are due are waited for.
SELECT * FROM scheduler.schedules
WHERE calendars <> '{}' AND calendars @> ARRAY[$2] AND namespace = $1 AND schedule_id > $3
ORDER BY schedule_id
LIMIT $4
FOR NO KEY UPDATE

-- name: calendar_users
-- $1 namespace, $2 id, $3 limit.
SELECT schedule_id FROM scheduler.schedules
WHERE calendars <> '{}' AND calendars @> ARRAY[$2] AND namespace = $1
ORDER BY schedule_id
LIMIT $3

-- name: create_calendar
-- $1 namespace, $2 id, $3 body, $4 now, $5 whether it is a blackout. One that was deleted makes room, its number
-- goes on. Nothing when the id is taken.
INSERT INTO scheduler.calendars AS c (namespace, calendar_id, version, body, created_at, updated_at, push_at)
VALUES ($1, $2, 1, $3, $4, $4, CASE WHEN $5 THEN $4::timestamptz END)
ON CONFLICT (namespace, calendar_id) DO UPDATE
SET version = 1, body = excluded.body, created_at = excluded.created_at, updated_at = excluded.updated_at,
    deleted_at = NULL, push_at = excluded.created_at
WHERE c.deleted_at IS NOT NULL
RETURNING version

-- name: claim_pushes
-- $1 now, $2 limit, $3 when to try again. Numbers them: what is decided later is pushed with a later number.
UPDATE scheduler.calendars c SET pushes = c.pushes + 1, push_at = $3
FROM (
    SELECT namespace, calendar_id FROM scheduler.calendars
    WHERE push_at <= $1 AND push_at IS NOT NULL
    ORDER BY push_at LIMIT $2
    FOR UPDATE SKIP LOCKED
) due
WHERE (c.namespace, c.calendar_id) = (due.namespace, due.calendar_id)
RETURNING c.*

-- name: next_push
SELECT min(push_at) FROM scheduler.calendars WHERE push_at IS NOT NULL

-- name: pushed
-- $1 namespace, $2 id, $3 number, $4 `push_at` as it was claimed, $5 when to push again, null for never. Nothing
-- when it was changed or claimed meanwhile.
UPDATE scheduler.calendars SET push_at = $5
WHERE namespace = $1 AND calendar_id = $2 AND pushes = $3 AND push_at = $4

-- name: update_calendar
-- $1 namespace, $2 id, $3 body, $4 now, $5 whether the queue is to be told.
UPDATE scheduler.calendars
SET version = version + 1, body = $3, updated_at = $4, push_at = CASE WHEN $5 THEN $4::timestamptz ELSE push_at END
WHERE namespace = $1 AND calendar_id = $2
RETURNING version

-- name: delete_calendar
-- $1 namespace, $2 id, $3 now. One that the queue was told of stays as a shadow: its number goes on from there when
-- the id is used again.
WITH gone AS (
    DELETE FROM scheduler.calendars WHERE namespace = $1 AND calendar_id = $2 AND pushes = 0
)
UPDATE scheduler.calendars SET deleted_at = $3, push_at = $3
WHERE namespace = $1 AND calendar_id = $2 AND pushes > 0
