"""Tables of what is going on, as the newest migration leaves them; `records.py` has what is over.

Units: resources in hundredths of a percent of a host, durations in milliseconds, instants with time zone.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Sequence,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from queue_service.domain.states import LeaseState
from queue_service.store import SCHEMA
from queue_service.store.columns import count, identity_of_task, instant, metadata, one_of, progress, template

lease_token = Sequence("lease_token", metadata=metadata, schema=SCHEMA, data_type=BigInteger)
"""Source of fencing tokens: later leases of a task have higher ones."""

# Tasks that have not ended. No column for the state: a lease row makes it OFFERED or RUNNING, a `run_at`
# ahead SCHEDULED, else it is WAITING. `level` = priority + boost names the FIFO list the task is in,
# `order_at` its place there. `sequence_key` is the schedule whose sequence it is in, because it waits behind
# others or others behind it; `ready` is false behind another task of its sequence. `version` rises with every
# change that makes a buffered copy wrong. `lane` sorts by bytes: those of a namespace are neighbours.
tasks = Table(
    "tasks",
    metadata,
    Column("id", BigInteger, Identity(always=False), primary_key=True),
    *identity_of_task(),
    Column("lane", Text(collation="C"), nullable=False),
    Column("level", SmallInteger, nullable=False),
    Column("ready", Boolean, nullable=False),
    Column("version", Integer, nullable=False, server_default=text("1")),
    *template(),
    *progress(),
    Column("sequence_key", Text),
    instant("boosted_at", nullable=True),
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
    tasks.c.sequence_key,
    tasks.c.id,
    postgresql_where=text("sequence_key IS NOT NULL"),
)
# What a fire that is to wait for its schedule's tasks has yet to put into the sequence, however long that is.
Index(
    "tasks_out_of_line",
    tasks.c.namespace,
    tasks.c.schedule_id,
    tasks.c.id,
    postgresql_where=text("schedule_id IS NOT NULL AND sequence_key IS NULL"),
)
Index("tasks_listing", tasks.c.namespace, tasks.c.id)

# One row per leased task. Every writer locks the task's row first. `session` is null for a pull lease, which
# has `expires_at` instead; an offer (state 1) has `answer_by`. `cancel_*` say that it is to be stopped.
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
    instant("offered_at"),
    instant("answer_by", nullable=True),
    instant("started_at", nullable=True),
    instant("expires_at", nullable=True),
    Column("request_id", Text),
    instant("cancel_at", nullable=True),
    Column("cancel_actor", Text),
    Column("cancel_grace_ms", BigInteger),
    one_of("state", LeaseState),
    CheckConstraint("(session IS NULL) = (expires_at IS NOT NULL)", name="session_or_expiry"),
    CheckConstraint("(cancel_at IS NULL) = (cancel_grace_ms IS NULL)", name="cancel_with_grace"),
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
    count("cpu_count"),
    Column("memory_bytes", BigInteger, nullable=False, server_default=text("0")),
    Column("version", Text, nullable=False, server_default=text("''")),
    Column("max_tasks", Integer),
    Column("max_cpu", Integer),
    Column("max_memory", Integer),
    count("used_tasks"),
    count("used_cpu"),
    count("used_memory"),
    Column("session", BigInteger),
    Column("load_cpu", Integer),
    Column("load_memory", Integer),
    instant("seen_at"),
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
    instant("started_at"),
    instant("beat_at"),
    instant("expires_at"),
    instant("ended_at", nullable=True),
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

# What a source (a calendar) keeps from starting, and when. A source's holds are replaced together, by a newer
# version only; its row stays when they are over.
hold_sources = Table(
    "hold_sources",
    metadata,
    Column("namespace", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    PrimaryKeyConstraint("namespace", "source"),
)
holds = Table(
    "holds",
    metadata,
    Column("namespace", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("number", Integer, nullable=False),
    instant("from_at"),
    instant("until_at"),
    Column("queue", Text, nullable=False),
    Column("handler", Text, nullable=False),
    Column("allow_priority", SmallInteger, nullable=False),
    Column("reason", Text, nullable=False),
    PrimaryKeyConstraint("namespace", "source", "number"),
    CheckConstraint("from_at < until_at", name="ends_after_it_begins"),
    CheckConstraint("allow_priority BETWEEN 0 AND 10", name="allow_priority_in_range"),
)
Index("holds_ahead", holds.c.until_at)

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
    instant("created_at"),
    instant("expires_at"),
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
    instant("keep_until", nullable=True),
)
Index("payloads_kept", payloads.c.keep_until, postgresql_where=text("keep_until IS NOT NULL"))
