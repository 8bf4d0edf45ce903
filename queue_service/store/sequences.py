"""Sequences: tasks that run one after another; only the first of them is ready."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from queue_service.domain.order import Candidate
from queue_service.store.dispatching import SQL

if TYPE_CHECKING:
    import asyncpg


async def promote(
    driver: "asyncpg.Connection[Any]", sequences: Iterable[tuple[str, str, str]], now: datetime
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
