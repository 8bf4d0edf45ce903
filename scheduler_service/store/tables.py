"""Tables of schema `scheduler`, as the newest migration leaves them.

Durations in milliseconds, instants with time zone, enums numbered as on the wire.
"""

from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID

from scheduler_service.domain.backfill import BackfillState
from scheduler_service.domain.fire import Disposition, FireKind
from scheduler_service.store import SCHEMA

SHARDS: Final = 16
"""Parts of the outbox; each is sent by one replica at a time, in order."""

metadata = MetaData(schema=SCHEMA)


def _instant(name: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


def _text(name: str, *, nullable: bool = False, default: str | None = None) -> Column[Any]:
    server_default = None if default is None else text(f"'{default}'")
    return Column(name, Text, nullable=nullable, server_default=server_default)


def _name(name: str, *, primary_key: bool = False, nullable: bool = False) -> Column[Any]:
    """Ordered by its bytes, whatever the language of the database."""
    return Column(name, Text(collation="C"), nullable=nullable, primary_key=primary_key)


def _count(name: str, kind: type[Integer] = BigInteger) -> Column[Any]:
    return Column(name, kind, nullable=False, server_default=text("0"))


def _one_of(column: str, values: object) -> CheckConstraint:
    numbers = ", ".join(str(int(value)) for value in sorted(values))  # type: ignore[call-overload]
    return CheckConstraint(f"{column} IN ({numbers})", name=f"{column}_is_known")


# A version never changes. `parameters` is JSON, a list in the order in which they were written.
schedule_templates = Table(
    "schedule_templates",
    metadata,
    _name("namespace", primary_key=True),
    _name("template_id", primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    _text("description"),
    Column("body", LargeBinary, nullable=False),
    _text("parameters"),
    _text("actor"),
    _instant("created_at"),
)

# `timing` is JSON, see `timings`; one that a newer version wrote is reported by an older one, not refused.
# `next_fire` is null for events, when disabled and when nothing is left; `due_at` is when it comes due for
# that instant, or for one that its calendars have closed before. Every instant later than `timed_from` and up
# to `watermark` has its record in `fires`. `calendars` are the ids of those that `timing` names.
schedules = Table(
    "schedules",
    metadata,
    _name("namespace", primary_key=True),
    _name("schedule_id", primary_key=True),
    Column("incarnation", UUID, nullable=False),
    Column("generation", BigInteger, nullable=False),
    _text("timing"),
    _text("event_type", nullable=True),
    Column("template", LargeBinary, nullable=False),
    Column("has_payload", Boolean, nullable=False),
    Column("overlap", SmallInteger, nullable=False),
    Column("catch_up", SmallInteger, nullable=False),
    Column("catchup_window_ms", BigInteger, nullable=False),
    Column("max_runs", BigInteger, nullable=False),
    Column("pause_on_failure", Integer, nullable=False),
    Column("labels", ARRAY(Text), nullable=False),
    _name("source_id", nullable=True),
    Column("source_version", BigInteger),
    _text("source_parameters", nullable=True),
    Column("enabled", Boolean, nullable=False),
    _text("note", default=""),
    _text("note_actor", default=""),
    Column("calendars", ARRAY(Text), nullable=False),
    _instant("timed_from"),
    _instant("watermark"),
    _instant("next_fire", nullable=True),
    _instant("due_at", nullable=True),
    _text("invalid_reason", default=""),
    _instant("created_at"),
    _instant("updated_at"),
    _count("fire_count"),
    UniqueConstraint("incarnation", name="schedules_incarnation"),
    ForeignKeyConstraint(
        ("namespace", "source_id", "source_version"),
        ("schedule_templates.namespace", "schedule_templates.template_id", "schedule_templates.version"),
        name="schedules_source",
    ),
    CheckConstraint("enabled OR next_fire IS NULL", name="disabled_is_never_due"),
    CheckConstraint("next_fire IS NULL OR next_fire > watermark", name="settled_is_never_due"),
    CheckConstraint(
        "next_fire IS NULL OR due_at IS NOT NULL AND (due_at >= next_fire OR calendars <> '{}')",
        name="never_due_before_its_instant",
    ),
    CheckConstraint(
        "due_at IS NULL OR enabled AND due_at > watermark AND (next_fire IS NOT NULL OR calendars <> '{}')",
        name="due_for_something",
    ),
    Index(
        "schedules_due",
        "due_at",
        postgresql_where=text("due_at IS NOT NULL AND invalid_reason = ''"),
    ),
    Index(
        "schedules_listening",
        "namespace",
        "event_type",
        postgresql_where=text("event_type IS NOT NULL"),
    ),
    Index("schedules_listening_widely", "namespace", postgresql_where=text("event_type LIKE '%*%'")),
    Index("schedules_invalid", "incarnation", postgresql_where=text("invalid_reason <> ''")),
    Index(
        "schedules_calendars", "calendars", postgresql_using="gin", postgresql_where=text("calendars <> '{}'")
    ),
    Index("schedules_labels", "labels", postgresql_using="gin", postgresql_where=text("labels <> '{}'")),
    Index(
        "schedules_of_source",
        "namespace",
        "source_id",
        "schedule_id",
        postgresql_where=text("source_id IS NOT NULL"),
    ),
    postgresql_with={"fillfactor": "70"},
)

# `body` is JSON, see `calendar_bodies`. `push_at`: when the queue is to be told next, null for never.
# `pushes` numbers the attempts, over all replicas: a deleted one that the queue was told of stays for that.
calendars = Table(
    "calendars",
    metadata,
    _name("namespace", primary_key=True),
    _name("calendar_id", primary_key=True),
    Column("version", BigInteger, nullable=False),
    _text("body"),
    _instant("created_at"),
    _instant("updated_at"),
    _instant("deleted_at", nullable=True),
    _count("pushes"),
    _instant("push_at", nullable=True),
    Index("calendars_to_push", "push_at", postgresql_where=text("push_at IS NOT NULL")),
)

# Apart from `schedules`, so that outcomes that come back never wait for schedules that come due.
stats = Table(
    "stats",
    metadata,
    Column("incarnation", UUID, primary_key=True),
    _count("execution_count"),
    _count("failure_count"),
    _count("success_count"),
    _count("success_ms"),
    _count("run_count"),
    _count("failures_in_row", Integer),
    _instant("last_execute_at", nullable=True),
    postgresql_with={"fillfactor": "50"},
)

# The ledger. A row is one fire or a range of instants of one disposition (`last_nominal_at` set, `fire_id`
# empty). `chain` is the last chain of attempts whose outcome was counted.
fires = Table(
    "fires",
    metadata,
    Column("id", BigInteger, Identity(always=False), primary_key=True),
    _name("namespace"),
    _name("schedule_id"),
    Column("incarnation", UUID, nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("kind", SmallInteger, nullable=False),
    _name("key"),
    _name("fire_id"),
    _instant("nominal_at"),
    _instant("last_nominal_at", nullable=True),
    Column("count", BigInteger, nullable=False),
    _text("local_time"),
    _text("utc_offset"),
    _instant("fired_at"),
    Column("disposition", SmallInteger, nullable=False),
    _text("detail"),
    _instant("settled_at", nullable=True),
    _text("event"),
    _text("actor"),
    _text("backfill_id", default=""),
    _count("chain", Integer),
    UniqueConstraint("incarnation", "kind", "key", name="fires_identity"),
    _one_of("kind", FireKind),
    _one_of("disposition", Disposition),
    CheckConstraint(
        f"(disposition = {int(Disposition.PENDING)}) = (settled_at IS NULL)", name="settled_unless_pending"
    ),
    CheckConstraint("(last_nominal_at IS NULL) = (fire_id <> '')", name="ranges_have_no_id"),
    Index("fires_of_schedule", "namespace", "schedule_id", text("nominal_at DESC"), text("id DESC")),
    Index(
        "fires_by_id",
        "fire_id",
        "namespace",
        unique=True,
        postgresql_where=text("fire_id <> ''"),
    ),
    Index(
        "fires_of_backfill",
        "namespace",
        "backfill_id",
        text("nominal_at DESC"),
        text("id DESC"),
        postgresql_where=text("backfill_id <> ''"),
    ),
    postgresql_with={"fillfactor": "85"},
)

# What waits for the queue's verdict: one row per PENDING fire, deleted in the transaction that settles it.
# `sent_at` is set before the first sending: from then on only a verdict may remove the row. `run_of` is the
# incarnation of a schedule with max_runs of which the fire takes one.
outbox = Table(
    "outbox",
    metadata,
    Column("fire", BigInteger, primary_key=True),
    Column("shard", SmallInteger, nullable=False),
    _name("namespace"),
    _name("schedule_id"),
    _name("fire_id"),
    _instant("nominal_at"),
    Column("due_task", LargeBinary, nullable=False),
    _instant("sent_at", nullable=True),
    Column("run_of", UUID),
    CheckConstraint(f"shard BETWEEN 0 AND {SHARDS - 1}", name="shard_in_range"),
    Index("outbox_unsent", "shard", "fire", postgresql_where=text("sent_at IS NULL")),
    Index("outbox_runs", "run_of", postgresql_where=text("run_of IS NOT NULL")),
    postgresql_with={"fillfactor": "70", "autovacuum_vacuum_scale_factor": "0.05"},
)

events = Table(
    "events",
    metadata,
    _name("namespace", primary_key=True),
    _name("source", primary_key=True),
    _name("event_id", primary_key=True),
    _text("type"),
    _text("subject"),
    _instant("time"),
    Column("data", LargeBinary, nullable=False),
    Column("depth", Integer, nullable=False),
    _text("actor"),
    _instant("received_at"),
    Column("fires", ARRAY(BigInteger), nullable=False, server_default=text("'{}'")),
    Index("events_by_age", "received_at"),
    Index("events_listed", "namespace", "received_at", "source", "event_id"),
)

# Events of a trigger that wait for others. `outcome` is set when it fires: what becomes of those that are
# left in `gathered`. It takes events until then, or until it is full.
gatherings = Table(
    "gatherings",
    metadata,
    Column("id", BigInteger, Identity(always=False), primary_key=True),
    _name("namespace"),
    _name("schedule_id"),
    Column("incarnation", UUID, nullable=False),
    _instant("due_at"),
    Column("takes", Boolean, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("outcome", SmallInteger),
    _text("detail", default=""),
    CheckConstraint("outcome IS NULL OR NOT takes", name="closed_takes_nothing"),
    Index("gatherings_due", "due_at", postgresql_where=text("outcome IS NULL")),
    Index("gatherings_open", "incarnation", postgresql_where=text("takes")),
    Index("gatherings_closed", "id", postgresql_where=text("outcome IS NOT NULL")),
    postgresql_with={"fillfactor": "50"},
)

# Fires, all PENDING, of events that are in a gathering.
gathered = Table(
    "gathered",
    metadata,
    Column("gathering", BigInteger, primary_key=True, autoincrement=False),
    Column("fire", BigInteger, primary_key=True, autoincrement=False),
    _name("source"),
    _name("event_id"),
)

# When triggers that are throttled fired last.
throttles = Table(
    "throttles",
    metadata,
    Column("incarnation", UUID, primary_key=True),
    _instant("fired_at"),
    postgresql_with={"fillfactor": "50"},
)

# The instants of a stretch of time to be fired once more. `timing` is that of the schedule when it was made;
# `next_at` is what comes next (null: nothing), `turn_at` when. `accepted` and `refused` are counted with the
# queue's verdicts.
backfills = Table(
    "backfills",
    metadata,
    _name("namespace", primary_key=True),
    _name("backfill_id", primary_key=True),
    _name("schedule_id"),
    Column("incarnation", UUID, nullable=False),
    _text("timing"),
    _instant("from_at"),
    _instant("until_at"),
    Column("per_minute", Integer, nullable=False),
    Column("overlap", SmallInteger, nullable=False),
    Column("priority", SmallInteger, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
    _count("fired"),
    _count("accepted"),
    _count("refused"),
    _instant("next_at", nullable=True),
    _instant("turn_at"),
    _text("actor"),
    _name("request_id"),
    Column("fingerprint", LargeBinary, nullable=False),
    _instant("created_at"),
    _instant("ended_at", nullable=True),
    _one_of("state", BackfillState),
    CheckConstraint(
        f"(state = {int(BackfillState.RUNNING)}) = (ended_at IS NULL)", name="running_until_it_ends"
    ),
    CheckConstraint("(next_at IS NULL) = (ended_at IS NOT NULL)", name="nothing_next_at_its_end"),
    Index("backfills_running", "turn_at", postgresql_where=text(f"state = {int(BackfillState.RUNNING)}")),
    Index("backfills_of_schedule", "namespace", "schedule_id", "backfill_id"),
    Index(
        "backfills_by_request",
        "namespace",
        "request_id",
        unique=True,
        postgresql_where=text("request_id <> ''"),
    ),
    Index("backfills_by_end", "ended_at", postgresql_where=text("ended_at IS NOT NULL")),
    postgresql_with={"fillfactor": "50"},
)

# The rules of every zone as stored next fires follow them, as files (TZif), and the releases that they came
# with.
zone_rules = Table(
    "zone_rules",
    metadata,
    _name("name", primary_key=True),
    Column("rules", LargeBinary, nullable=False),
)

zone_releases = Table(
    "zone_releases",
    metadata,
    Column("id", BigInteger, Identity(always=False), primary_key=True),
    _text("release"),
    _instant("applied_at"),
    Column("moved", BigInteger, nullable=False),
)

# Schedules whose next fires a release has moved.
moved_schedules = Table(
    "moved_schedules",
    metadata,
    Column("id", BigInteger, Identity(always=False), primary_key=True),
    _name("namespace"),
    _name("schedule_id"),
    _text("time_zone"),
    _text("release"),
    _instant("moved_at"),
    Column("old_times", ARRAY(DateTime(timezone=True)), nullable=False),
    Column("new_times", ARRAY(DateTime(timezone=True)), nullable=False),
    Index("moved_schedules_of_namespace", "namespace", "id"),
    Index("moved_schedules_by_age", "moved_at"),
)

# How far a feed has been applied. `all_tasks` is set in the transaction that makes the first listener of
# `task.completed` or `error.critical`, so that no outcome after it is passed over.
cursors = Table(
    "cursors",
    metadata,
    _name("name", primary_key=True),
    _text("cursor", default=""),
    Column("all_tasks", Boolean, nullable=False, server_default=text("false")),
    _instant("updated_at"),
)

# What makes creating repeatable: the row as it was created, under the caller's request id.
creations = Table(
    "creations",
    metadata,
    _name("namespace", primary_key=True),
    _name("request_id", primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("created", JSONB, nullable=False),
    _instant("created_at"),
    Index("creations_by_age", "created_at"),
)

# The audit trail of operator calls.
actions = Table(
    "actions",
    metadata,
    Column("id", BigInteger, Identity(always=False), primary_key=True),
    _instant("at"),
    _name("namespace"),
    _text("actor"),
    _text("action"),
    _name("schedule_id"),
    Column("generation", BigInteger, nullable=False),
    _text("detail"),
    Index("actions_of_schedule", "namespace", "schedule_id", "id"),
)
