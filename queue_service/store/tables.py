"""Tables of schema `queue`, as the newest migration leaves them.

Units: resources in hundredths of a percent of a host, durations in milliseconds, instants with time zone.
`history`, `attempts` and `transitions` are partitioned by day; their partitions live in schema `queue_parts`,
where the runtime role may do nothing, and are made and dropped by functions of the owner.
"""

from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Sequence,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import UserDefinedType

from queue_service.domain.states import FINAL, Category, Kind, LeaseState, Result
from queue_service.store import SCHEMA

PARTITIONED: Final = ("attempts", "history", "transitions")
"""Tables whose rows leave by the day."""

metadata = MetaData(schema=SCHEMA)

lease_token = Sequence("lease_token", metadata=metadata, schema=SCHEMA, data_type=BigInteger)
"""Source of fencing tokens: later leases of a task have higher ones."""


class Xid8(UserDefinedType[int]):
    """A transaction id that never wraps around."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """The type's name in DDL."""
        return "xid8"


def _instant(name: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


def _count(name: str) -> Column[Any]:
    return Column(name, Integer, nullable=False, server_default=text("0"))


def _one_of(column: str, values: object) -> CheckConstraint:
    numbers = ", ".join(str(int(value)) for value in sorted(values))  # type: ignore[call-overload]
    return CheckConstraint(f"{column} IN ({numbers})", name=f"{column}_is_known")


def _identity_of_task() -> list[Column[Any]]:
    return [Column(name, Text, nullable=False) for name in ("namespace", "queue", "task_id")]


def _template() -> list[Column[Any]]:
    """What a task is, apart from its payload; the same in `tasks` and `history`."""
    return [
        Column("handler", Text, nullable=False),
        Column("name", Text, nullable=False),
        Column("priority", SmallInteger, nullable=False),
        Column("boost", SmallInteger, nullable=False, server_default=text("0")),
        Column("cpu", Integer, nullable=False),
        Column("memory", Integer, nullable=False),
        Column("timeout_ms", BigInteger, nullable=False),
        Column("retry_policy", Text, nullable=False),
        Column("circuit_breaker", Text, nullable=False),
        Column("schedule_id", Text),
        _instant("nominal_at", nullable=True),
        _count("trigger_depth"),
    ]


def _progress() -> list[Column[Any]]:
    """How far a chain of attempts has come; the same in `tasks` and `history`.

    `attempts` counts ended attempts of the chain (failures and losses, not returned offers). `last_*` are
    facts of the last ended attempt, null before the first; its row in `attempts` has the rest.
    """
    return [
        _instant("enqueued_at"),
        _instant("order_at"),
        _instant("run_at"),
        Column("chain", Integer, nullable=False, server_default=text("1")),
        _count("attempts"),
        _count("failures"),
        _count("losses"),
        Column("last_token", BigInteger),
        Column("last_executor", Text),
        _instant("last_started_at", nullable=True),
        _instant("last_ended_at", nullable=True),
        Column("last_error", Text),
    ]


# Tasks that have not ended. No column for the state: a lease row makes it OFFERED or RUNNING, a `run_at`
# ahead SCHEDULED, else it is WAITING. `level` = priority + boost names the FIFO list the task is in,
# `order_at` its place there. `ready` is false behind another task of its sequence. `version` rises with every
# change that makes a buffered copy wrong. `lane` sorts by bytes, so that those of a namespace are neighbours.
tasks = Table(
    "tasks",
    metadata,
    Column("id", BigInteger, Identity(always=False), primary_key=True),
    *_identity_of_task(),
    Column("lane", Text(collation="C"), nullable=False),
    Column("level", SmallInteger, nullable=False),
    Column("ready", Boolean, nullable=False),
    Column("version", Integer, nullable=False, server_default=text("1")),
    *_template(),
    *_progress(),
    Column("sequence_key", Text),
    _instant("boosted_at", nullable=True),
    UniqueConstraint("namespace", "queue", "task_id", name="tasks_identity"),
    CheckConstraint("priority BETWEEN 1 AND 10", name="priority_in_range"),
    CheckConstraint("boost BETWEEN 0 AND 20", name="boost_in_range"),
    CheckConstraint("level = priority + boost", name="level_is_sum"),
    CheckConstraint("cpu BETWEEN 0 AND 10000 AND memory BETWEEN 0 AND 10000", name="need_in_range"),
    CheckConstraint("ready OR sequence_key IS NOT NULL", name="only_sequences_hold_back"),
    postgresql_with={
        "fillfactor": "85",
        "autovacuum_vacuum_scale_factor": "0.02",
        "autovacuum_vacuum_insert_scale_factor": "0.1",
        "autovacuum_analyze_scale_factor": "0.05",
        "autovacuum_vacuum_cost_delay": "0",
    },
)
Index(
    "tasks_order", tasks.c.lane, tasks.c.level, tasks.c.order_at, tasks.c.id, postgresql_where=text("ready")
)
# Retry waits keep their old place in the order, so their return is found by time.
Index("tasks_return", tasks.c.run_at, tasks.c.id, postgresql_where=text("run_at > order_at"))
Index(
    "tasks_schedule",
    tasks.c.namespace,
    tasks.c.schedule_id,
    tasks.c.id,
    postgresql_where=text("schedule_id IS NOT NULL"),
)
Index(
    "tasks_sequence",
    tasks.c.namespace,
    tasks.c.queue,
    tasks.c.sequence_key,
    tasks.c.id,
    postgresql_where=text("sequence_key IS NOT NULL"),
)
Index("tasks_listing", tasks.c.namespace, tasks.c.id)

# One row per leased task. Every writer locks the task's row first. `session` is null for a pull lease, which
# has `expires_at` instead; an offer (state 1) has `answer_by`.
leases = Table(
    "leases",
    metadata,
    Column("task", BigInteger, primary_key=True, autoincrement=False),
    Column("token", BigInteger, nullable=False),
    Column("executor", BigInteger, nullable=False),
    Column("session", BigInteger),
    Column("attempt", Integer, nullable=False),
    Column("cpu", Integer, nullable=False),
    Column("memory", Integer, nullable=False),
    Column("state", SmallInteger, nullable=False),
    _instant("offered_at"),
    _instant("answer_by", nullable=True),
    _instant("started_at", nullable=True),
    _instant("expires_at", nullable=True),
    Column("request_id", Text),
    _instant("cancel_at", nullable=True),
    Column("cancel_actor", Text),
    _instant("revoked_at", nullable=True),
    _one_of("state", LeaseState),
    CheckConstraint("(session IS NULL) = (expires_at IS NOT NULL)", name="session_or_expiry"),
    postgresql_with={
        "fillfactor": "85",
        "autovacuum_vacuum_scale_factor": "0.02",
        "autovacuum_vacuum_cost_delay": "0",
    },
)
Index("leases_session", leases.c.session, postgresql_where=text("session IS NOT NULL"))
Index("leases_executor", leases.c.executor)
Index(
    "leases_request",
    leases.c.executor,
    leases.c.request_id,
    unique=True,
    postgresql_where=text("request_id IS NOT NULL"),
)
Index("leases_expiry", leases.c.expires_at, postgresql_where=text("expires_at IS NOT NULL"))
Index("leases_answer", leases.c.answer_by, postgresql_where=text("state = 1"))

# `max_*` null = the namespace's default holds. `used_*` are the sums over the executor's leases.
executors = Table(
    "executors",
    metadata,
    Column("id", BigInteger, Identity(always=False), primary_key=True),
    Column("namespace", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("pull", Boolean, nullable=False),
    Column("handlers", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("allows_shell", Boolean, nullable=False, server_default=text("false")),
    Column("allows_http", Boolean, nullable=False, server_default=text("false")),
    Column("labels", JSONB, nullable=False, server_default=text("'{}'")),
    _count("cpu_count"),
    Column("memory_bytes", BigInteger, nullable=False, server_default=text("0")),
    Column("version", Text, nullable=False, server_default=text("''")),
    Column("max_tasks", Integer),
    Column("max_cpu", Integer),
    Column("max_memory", Integer),
    _count("used_tasks"),
    _count("used_cpu"),
    _count("used_memory"),
    Column("session", BigInteger),
    Column("load_cpu", Integer),
    Column("load_memory", Integer),
    _instant("seen_at"),
    UniqueConstraint("namespace", "name", name="executors_identity"),
    CheckConstraint("used_tasks >= 0 AND used_cpu >= 0 AND used_memory >= 0", name="use_is_not_negative"),
    postgresql_with={"fillfactor": "50", "autovacuum_vacuum_cost_delay": "0"},
)

# One life of an agent's stream; the id is the session epoch.
sessions = Table(
    "sessions",
    metadata,
    Column("id", BigInteger, Identity(always=False), primary_key=True),
    Column("executor", BigInteger, nullable=False),
    Column("instance_id", Text, nullable=False),
    Column("replica", Text, nullable=False),
    _instant("started_at"),
    _instant("beat_at"),
    _instant("expires_at"),
    _instant("ended_at", nullable=True),
    Column("end_reason", Text),
    postgresql_with={"fillfactor": "50", "autovacuum_vacuum_cost_delay": "0"},
)
Index("sessions_open", sessions.c.expires_at, postgresql_where=text("ended_at IS NULL"))
Index("sessions_ended", sessions.c.ended_at, postgresql_where=text("ended_at IS NOT NULL"))
Index("sessions_executor", sessions.c.executor, sessions.c.id)

# Defaults of a namespace; without a row the built-in ones of `domain.limits` and `domain.priority` hold.
settings = Table(
    "settings",
    metadata,
    Column("namespace", Text, primary_key=True),
    Column("max_tasks", Integer, nullable=False, server_default=text("4")),
    Column("max_cpu", Integer, nullable=False, server_default=text("8000")),
    Column("max_memory", Integer, nullable=False, server_default=text("8500")),
    Column("ageing_threshold_ms", BigInteger, nullable=False, server_default=text("1800000")),
    CheckConstraint("max_tasks >= 0", name="max_tasks_in_range"),
    CheckConstraint("max_cpu BETWEEN 0 AND 10000", name="max_cpu_in_range"),
    CheckConstraint("max_memory BETWEEN 0 AND 10000", name="max_memory_in_range"),
    CheckConstraint("ageing_threshold_ms > 0", name="ageing_threshold_is_positive"),
)

# Idempotency keys: what was said about a task_id is said again, also after the task ended. `task` is null
# when the overlap policy kept the task out; `blocked_by` then names the task in the way.
keys = Table(
    "keys",
    metadata,
    Column("namespace", Text, nullable=False),
    Column("queue", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("task", BigInteger),
    Column("task_id", Text, nullable=False),
    Column("blocked_by", Text),
    _instant("created_at"),
    _instant("expires_at"),
    PrimaryKeyConstraint("namespace", "queue", "key"),
    CheckConstraint("(task IS NULL) = (blocked_by IS NOT NULL)", name="taken_in_or_kept_out"),
    postgresql_partition_by="HASH (namespace, queue, key)",
)
Index("keys_expiry", keys.c.expires_at)

# Input of handlers, apart from the hot row; no row when it is empty. Gone when the task ends, except for DEAD
# tasks: their payload stays until `keep_until`, which is set when they are buried.
payloads = Table(
    "payloads",
    metadata,
    Column("task", BigInteger, primary_key=True, autoincrement=False),
    Column("payload", LargeBinary, nullable=False),
    _instant("keep_until", nullable=True),
)
Index("payloads_kept", payloads.c.keep_until, postgresql_where=text("keep_until IS NOT NULL"))

# Ended chains of attempts, and the feed of outcomes: (xid, id) is its order, readable below the snapshot's
# xmin.
history = Table(
    "history",
    metadata,
    Column("id", BigInteger, nullable=False),
    Column("xid", Xid8, nullable=False, server_default=text("pg_current_xact_id()")),
    *_identity_of_task(),
    Column("state", SmallInteger, nullable=False),
    _instant("ended_at"),
    *_template(),
    *_progress(),
    _one_of("state", FINAL),
    postgresql_partition_by="RANGE (ended_at)",
)
Index("history_feed", history.c.xid, history.c.id)
Index(
    "history_feed_of_schedules",
    history.c.xid,
    history.c.id,
    postgresql_where=text("schedule_id IS NOT NULL"),
)
Index("history_identity", history.c.namespace, history.c.queue, history.c.task_id)
Index("history_listing", history.c.namespace, history.c.id)
Index(
    "history_listing_of_schedules",
    history.c.namespace,
    history.c.schedule_id,
    history.c.id,
    postgresql_where=text("schedule_id IS NOT NULL"),
)
Index("history_dead", history.c.namespace, history.c.id, postgresql_where=text("state = 6"))

# How many tasks ended on the days up to the last of `counted_days`, so that nobody counts weeks of history.
history_counts = Table(
    "history_counts",
    metadata,
    Column("day", Date, nullable=False),
    Column("namespace", Text, nullable=False),
    Column("queue", Text, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("tasks", BigInteger, nullable=False),
    PrimaryKeyConstraint("namespace", "queue", "day", "state"),
)
counted_days = Table("counted_days", metadata, Column("day", Date, primary_key=True))

# Every ended attempt. `state` is what the task became by it, so that a repeated report gets the same answer.
# `cpu`, `memory`, `peak_bytes`, `exit_code` null = not measured.
attempts = Table(
    "attempts",
    metadata,
    Column("task", BigInteger, nullable=False),
    Column("chain", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("executor", Text, nullable=False),
    _instant("offered_at"),
    _instant("started_at", nullable=True),
    _instant("ended_at"),
    Column("result", SmallInteger, nullable=False),
    Column("category", SmallInteger, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("exit_code", Integer),
    Column("cpu", Integer),
    Column("memory", Integer),
    Column("peak_bytes", BigInteger),
    Column("duration_ms", BigInteger),
    Column("output_tail", Text, nullable=False, server_default=text("''")),
    Column("error", Text, nullable=False, server_default=text("''")),
    _one_of("result", Result),
    _one_of("category", Category),
    postgresql_partition_by="RANGE (ended_at)",
)
Index("attempts_task", attempts.c.task)
Index("attempts_token", attempts.c.token)

# The audit trail. One row may carry a batch: the arrays are parallel, `state` holds for all of them.
transitions = Table(
    "transitions",
    metadata,
    Column("id", BigInteger, Identity(always=False), nullable=False),
    Column("xid", Xid8, nullable=False, server_default=text("pg_current_xact_id()")),
    _instant("at"),
    Column("kind", SmallInteger, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("namespace", Text, nullable=False),
    Column("tasks", ARRAY(BigInteger), nullable=False),
    Column("tokens", ARRAY(BigInteger), nullable=False, server_default=text("'{}'")),
    Column("attempts", ARRAY(Integer), nullable=False, server_default=text("'{}'")),
    Column("executor", Text, nullable=False, server_default=text("''")),
    Column("cpu", ARRAY(Integer), nullable=False, server_default=text("'{}'")),
    Column("memory", ARRAY(Integer), nullable=False, server_default=text("'{}'")),
    Column("actor", Text, nullable=False, server_default=text("''")),
    Column("detail", Text, nullable=False, server_default=text("''")),
    _one_of("kind", Kind),
    postgresql_partition_by="RANGE (at)",
)
Index("transitions_feed", transitions.c.xid, transitions.c.id)

# What operators changed beside tasks: limits, thresholds. Kept for ever.
actions = Table(
    "actions",
    metadata,
    Column("id", BigInteger, Identity(always=False), primary_key=True),
    _instant("at"),
    Column("namespace", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("detail", Text, nullable=False, server_default=text("''")),
)

# How far retention has come: outcomes of transactions up to `xid` are not complete any more.
watermarks = Table(
    "watermarks",
    metadata,
    Column("name", Text, primary_key=True),
    Column("xid", Xid8, nullable=False),
    _instant("at"),
)
