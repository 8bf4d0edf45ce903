"""Accepted offers."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from queue_service.domain.lease import Ref
from queue_service.store.claims import columns
from queue_service.store.dispatching import SQL
from service_kit.postgres import AsyncConnection, Database, raw


class Start(NamedTuple):
    """An offer that a session's agent started at `at`."""

    task: int
    token: int
    session: int
    at: datetime

    @property
    def ref(self) -> Ref:
        """The lease."""
        return Ref(self.task, self.token)


class StartStore:
    """Marks offers as running."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def start(self, starts: Sequence[Start]) -> list[bool]:
        """Whether each session holds its lease; where it does, it runs now. Repeating is safe."""
        ordered = columns(sorted(starts), 4)

        async def work(connection: AsyncConnection) -> frozenset[Ref]:
            driver = await raw(connection)
            held = frozenset(Ref(*row) for row in await driver.fetch(SQL["start"], *ordered))
            if len(held) < len(starts):
                held |= frozenset(Ref(*row) for row in await driver.fetch(SQL["still_held"], *ordered[:3]))
            return held

        held = await self._database.unit(work)
        return [start.ref in held for start in starts]
