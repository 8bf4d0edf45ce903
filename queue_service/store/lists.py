"""Reads of the FIFO lists of waiting tasks, always from a lower bound on."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from queue_service.domain.order import Candidate
from queue_service.store.claims import columns
from queue_service.store.dispatching import SQL
from service_kit.postgres import Database


class ListKey(NamedTuple):
    """One FIFO list."""

    lane: str
    level: int


class Place(NamedTuple):
    """A position in a list: after the task with this `order_at` and id."""

    order_at: datetime
    task: int


class Gap(NamedTuple):
    """Lists strictly between two: known ones, or such as lie before or after all that are wanted."""

    after: ListKey
    before: ListKey


class Due(NamedTuple):
    """A task that came back to its old place at `run_at`; `is_free` unless somebody has leased it since."""

    candidate: Candidate
    run_at: datetime
    is_free: bool


BEGINNING: Final = Place(datetime(1970, 1, 1, tzinfo=UTC), 0)
"""Before every task."""


class ListStore:
    """Finds candidates; what it returns may be leased, changed or gone a moment later."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ahead(
        self, cursors: Sequence[tuple[ListKey, Place]], limit: int, now: datetime
    ) -> list[Candidate]:
        """Up to `limit` candidates of each list after its cursor, in the order of the list."""
        arguments = columns(((*key, *place) for key, place in cursors), 4)
        rows = await self._database.statement(
            lambda driver: driver.fetch(SQL["ahead"], *arguments, limit, now)
        )
        return [Candidate(*row) for row in rows]

    async def between(
        self, ranges: Sequence[tuple[ListKey, Place, Place]], limit: int, now: datetime
    ) -> list[Candidate]:
        """Up to `limit` candidates of each list after the first place and up to the second."""
        arguments = columns(((*key, *after, *until) for key, after, until in ranges), 6)
        rows = await self._database.statement(
            lambda driver: driver.fetch(SQL["between"], *arguments, limit, now)
        )
        return [Candidate(*row) for row in rows]

    async def due(self, after: Place, limit: int, now: datetime) -> list[Due]:
        """Tasks of all lists that came back after `after` (its `order_at` is a `run_at` here), in order."""
        rows = await self._database.statement(lambda driver: driver.fetch(SQL["due"], *after, now, limit))
        return [Due(Candidate(*row[:7]), row[7], row[8]) for row in map(tuple, rows)]

    async def levels(self, gaps: Iterable[Gap]) -> list[ListKey]:
        """The lists in the gaps that have tasks."""
        arguments = columns(((*gap.after, *gap.before) for gap in gaps), 4)
        if not arguments[0]:
            return []
        rows = await self._database.statement(lambda driver: driver.fetch(SQL["levels"], *arguments))
        return [ListKey(*row) for row in rows]
