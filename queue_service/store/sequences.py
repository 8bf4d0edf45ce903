"""Sequences: tasks of one schedule that wait for each other; the first of them is always ready."""

from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from queue_service.domain.order import Candidate
from queue_service.store.dispatching import SQL
from service_kit.postgres import AsyncConnection, Database

if TYPE_CHECKING:
    import asyncpg

T = TypeVar("T")

Line: TypeAlias = tuple[str, str]
"""Namespace and sequence_key, which is the schedule_id."""


class LinedUp(Exception):
    """A task that is to leave was put into a sequence after its sequence had been looked up for locking."""


async def leaving(database: Database, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    """Runs a unit of work that takes tasks out of their sequences, again whenever it raises LinedUp.

    The locks of sequences come before those of tasks, so the one that is missing cannot be taken late.
    """
    while True:
        try:
            return await database.unit(work)
        except LinedUp:
            continue


async def promote(
    driver: "asyncpg.Connection[Any]", sequences: Iterable[Line], now: datetime
) -> list[Candidate]:
    """Makes the first task of each sequence ready, where it is not; the caller holds their locks.

    Returns those that may start now.
    """
    wanted = sorted(set(sequences))
    if not wanted:
        return []
    columns = [list(column) for column in zip(*wanted, strict=True)]
    rows = await driver.fetch(SQL["next_in_sequences"], *columns, now)
    return [candidate(row) for row in rows if row["run_at"] <= now]


def candidate(row: Any) -> Candidate:
    """A row that has a candidate's fields by their names."""
    return Candidate(*(row[name] for name in Candidate._fields))
