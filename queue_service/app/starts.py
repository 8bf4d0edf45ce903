"""Accepted offers on their way into the database."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import timedelta
from itertools import islice
from typing import Final

from queue_service.app.persistence import Persistence
from queue_service.domain.lease import Ref
from queue_service.store.starts import Start, StartStore

GATHER: Final = timedelta(milliseconds=50)
"""How long starts are gathered. Most short tasks have ended by then, and their result stores their start."""

MOST_IN_A_STATEMENT: Final = 1_000

Stale = Callable[[int, list[Ref]], None]


class Starts:
    """Stores starts in groups; `stale` is told by session which leases turned out to be lost."""

    def __init__(
        self, store: StartStore, persistence: Persistence, stale: Stale, gather: timedelta = GATHER
    ) -> None:
        self._store = store
        self._persistence = persistence
        self._stale = stale
        self._gather = gather.total_seconds()
        self._pending: dict[Ref, Start] = {}
        self._task: asyncio.Task[None] | None = None

    def add(self, starts: Iterable[Start]) -> None:
        """Takes them up and returns at once."""
        self._pending.update((start.ref, start) for start in starts)
        if self._pending and self._task is None:
            self._task = asyncio.create_task(self._store_all(), name="starts")

    def forget(self, refs: Iterable[Ref]) -> None:
        """They have ended: there is nothing to store any more."""
        for ref in refs:
            self._pending.pop(ref, None)

    async def close(self) -> None:
        """Returns when everything added before is stored, or cannot be."""
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def _store_all(self) -> None:
        try:
            while self._pending:
                await asyncio.sleep(self._gather)
                await self._store_some()
        finally:
            self._task = None

    async def _store_some(self) -> None:
        starts = list(islice(self._pending.values(), MOST_IN_A_STATEMENT))
        for start in starts:
            del self._pending[start.ref]
        if not starts:
            return
        held = await self._persistence.until_stored(lambda: self._store.start(starts), "accepted offers")
        for start, is_held in zip(starts, held, strict=True):
            if not is_held:
                self._stale(start.session, [start.ref])
