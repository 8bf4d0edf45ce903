"""Which parts of the outbox this replica sends."""

import asyncio
from datetime import datetime, timedelta
from typing import Protocol

from scheduler_service.store.tables import SHARDS


class Locks(Protocol):
    """`service_kit.locks.AdvisoryLocks`, as far as it is needed here."""

    lost: asyncio.Event

    @property
    def held(self) -> frozenset[str]: ...

    async def try_hold(self, key: str) -> bool: ...

    async def release(self, key: str) -> None: ...


class Shards:
    """Takes every shard that nobody holds. Two senders of one shard for a moment do no harm.

    The lock keeps the order within a schedule and saves work; that each fire becomes one task is the fire
    id's doing.
    """

    def __init__(self, locks: Locks, every: timedelta = timedelta(seconds=1)) -> None:
        self._locks = locks
        self._every = every
        self._next_try: datetime | None = None

    @property
    def held(self) -> frozenset[int]:
        """The shards held now, as far as this side knows."""
        return frozenset(shard for shard in range(SHARDS) if _key(shard) in self._locks.held)

    async def take(self, now: datetime) -> frozenset[int]:
        """Tries to take what is free, at most once a second; returns what is held."""
        if len(self.held) < SHARDS and (self._next_try is None or now >= self._next_try):
            self._next_try = now + self._every
            for shard in range(SHARDS):
                await self._locks.try_hold(_key(shard))
        return self.held

    def were_lost(self) -> bool:
        """Whether shards were lost since the last question: another replica may have sent meanwhile."""
        lost = self._locks.lost.is_set()
        self._locks.lost.clear()
        return lost

    async def release(self) -> None:
        """Lets other replicas send."""
        for shard in self.held:
            await self._locks.release(_key(shard))
        self._next_try = None


def _key(shard: int) -> str:
    return f"scheduler/outbox/{shard}"
