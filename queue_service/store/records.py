"""Tables of what is over: history, attempts, and who did what; see `tables.py`.

`history`, `attempts` and `transitions` are partitioned by day; their partitions live in schema `queue_parts`,
where the runtime role may do nothing, and are made and dropped by functions of the owner.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    Date,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)

from queue_service.domain.states import FINAL, Category, Kind, Result
from queue_service.store.columns import Xid8, identity_of_task, instant, metadata, one_of, progress, template

# Ended chains of attempts, and the feed of outcomes: (xid, id) is its order, readable below the snapshot's
# xmin.
history = Table(
    "history",
    metadata,
    Column("id", BigInteger, nullable=False),
    Column("xid", Xid8, nullable=False, server_default=text("pg_current_xact_id()")),
    *identity_of_task(),
    Column("state", SmallInteger, nullable=False),
    instant("ended_at"),
    *template(),
    *progress(),
    one_of("state", FINAL),
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
    instant("offered_at"),
    instant("started_at", nullable=True),
    instant("ended_at"),
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
    one_of("result", Result),
    one_of("category", Category),
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
    instant("at"),
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
    one_of("kind", Kind),
    postgresql_partition_by="RANGE (at)",
)
Index("transitions_feed", transitions.c.xid, transitions.c.id)

# What operators changed beside tasks: limits, thresholds. Kept for ever.
actions = Table(
    "actions",
    metadata,
    Column("id", BigInteger, Identity(always=False), primary_key=True),
    instant("at"),
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
    instant("at"),
)
