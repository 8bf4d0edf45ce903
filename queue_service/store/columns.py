"""Columns that tables of schema `queue` have in common."""

from collections.abc import Iterable
from enum import IntEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Integer,
    MetaData,
    SmallInteger,
    Text,
    text,
)
from sqlalchemy.types import UserDefinedType

from queue_service.store import SCHEMA

metadata = MetaData(schema=SCHEMA)


class Xid8(UserDefinedType[int]):
    """A transaction id that never wraps around."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """The type's name in DDL."""
        return "xid8"


def instant(name: str, *, nullable: bool = False) -> Column[Any]:
    """An instant with time zone."""
    return Column(name, DateTime(timezone=True), nullable=nullable)


def count(name: str) -> Column[Any]:
    """A number that begins at 0."""
    return Column(name, Integer, nullable=False, server_default=text("0"))


def one_of(column: str, values: Iterable[IntEnum]) -> CheckConstraint:
    """Only the numbers of these enum members."""
    numbers = ", ".join(str(int(value)) for value in sorted(values))
    return CheckConstraint(f"{column} IN ({numbers})", name=f"{column}_is_known")


def identity_of_task() -> list[Column[Any]]:
    """What names a task."""
    return [Column(name, Text, nullable=False) for name in ("namespace", "queue", "task_id")]


def template() -> list[Column[Any]]:
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
        instant("nominal_at", nullable=True),
        count("trigger_depth"),
    ]


def progress() -> list[Column[Any]]:
    """How far a chain of attempts has come; the same in `tasks` and `history`.

    `attempts` counts ended attempts of the chain (failures and losses, not returned offers). `last_*` are
    facts of the last ended attempt, null before the first; its row in `attempts` has the rest.
    """
    return [
        instant("enqueued_at"),
        instant("order_at"),
        instant("run_at"),
        Column("chain", Integer, nullable=False, server_default=text("1")),
        count("attempts"),
        count("failures"),
        count("losses"),
        Column("last_token", BigInteger),
        Column("last_executor", Text),
        instant("last_started_at", nullable=True),
        instant("last_ended_at", nullable=True),
        Column("last_error", Text),
    ]
