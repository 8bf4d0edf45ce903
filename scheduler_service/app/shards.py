"""Which parts of the outbox this replica sends."""

import asyncio
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Final, Protocol

from scheduler_service.store.tables import SHARDS

PRESENCE: Final = "scheduler/senders"
"""Every replica that can send shares this lock, so that all know how many there are."""


class Locks(Protocol):
    """`service_kit.locks.AdvisoryLocks`, as far as it is needed here."""

    lost: asyncio.Event

    @property
    def held(self) -> frozenset[str]: ...

    async def try_hold(self, key: str, *, shared: bool = False) -> bool: ...

    async def release(self, key: str) -> None: ...

    async def holders(self, keys: Collection[str]) -> dict[str, int] | None: ...


class Shards:
    """Holds a fair share: as many shards as there are, divided by the replicas that can send, rounded up.

    What is too much is given up when nothing of it is under way any more, so that the next sender begins
    where this one ended. Two senders of one shard for a moment do no harm: the lock keeps the order within a
    schedule and saves work; that each fire becomes one task is the fire id's doing.
    """

    def __init__(self, locks: Locks, every: timedelta = timedelta(seconds=1)) -> None:
        self._locks = locks
        self._every = every
        self._next_look: datetime | None = None
        self._leaving: frozenset[int] = frozenset()

    @property
    def held(self) -> frozenset[int]:
        """The shards held now, as far as this side knows."""
        locked = self._locks.held
        return frozenset(shard for shard in range(SHARDS) if _key(shard) in locked)

    async def take(self, now: datetime, under_way: Callable[[], Collection[int]]) -> frozenset[int]:
        """The shards to send from; at most once a second looks at what the others do.

        `under_way` tells the shards with something that was sent and has no verdict.
        """
        if self._next_look is None or now >= self._next_look:
            self._next_look = now + self._every
            await self._balance()
        if self._leaving:
            for shard in self._leaving - frozenset(under_way()):
                await self._locks.release(_key(shard))
            self._leaving &= self.held
        return self.held - self._leaving

    def were_lost(self) -> bool:
        """Whether shards were lost since the last question: another replica may have sent meanwhile."""
        lost = self._locks.lost.is_set()
        self._locks.lost.clear()
        return lost

    async def release(self) -> None:
        """Lets other replicas send."""
        for shard in self.held:
            await self._locks.release(_key(shard))
        await self._locks.release(PRESENCE)
        self._next_look, self._leaving = None, frozenset()

    async def _balance(self) -> None:
        """Takes free shards up to the fair share, or chooses those to give up."""
        await self._locks.try_hold(PRESENCE, shared=True)
        holders = await self._locks.holders([PRESENCE, *map(_key, range(SHARDS))])
        if holders is None:
            return
        share = -(-SHARDS // max(1, holders[PRESENCE]))
        held = sorted(self.held)
        self._leaving = frozenset(held[share:])
        for shard in range(SHARDS):
            if len(held) < share and holders[_key(shard)] == 0 and await self._locks.try_hold(_key(shard)):
                held.append(shard)


def _key(shard: int) -> str:
    return f"scheduler/outbox/{shard}"
