"""Totals over a whole namespace, however many schedules it has."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from scheduler_service.domain.schedule import Totals
from service_kit.clock import Clock

SLOW: Final = timedelta(milliseconds=100)
"""To count a million schedules takes about a second (measured)."""

KEPT: Final = timedelta(seconds=15)


class _Kept(NamedTuple):
    totals: Totals
    until: datetime


class Tally:
    """Counts anew for every question; where that takes longer than `slow`, one count serves for 15 s.

    `count` counts one namespace.
    """

    def __init__(
        self, clock: Clock, count: Callable[[str], Awaitable[Totals]], slow: timedelta = SLOW
    ) -> None:
        self._clock = clock
        self._count = count
        self._slow = slow
        self._kept: dict[str, _Kept] = {}
        self._counting = asyncio.Lock()

    async def of(self, namespace: str) -> Totals:
        """The totals, at most 15 s old. One count at a time: who waits for it shares it."""
        async with self._counting:
            kept = self._kept.get(namespace)
            if kept is None or self._clock.now() >= kept.until:
                self._kept.pop(namespace, None)
                return await self._counted(namespace)
            return kept.totals

    async def _counted(self, namespace: str) -> Totals:
        begin = time.monotonic()
        totals = await self._count(namespace)
        if time.monotonic() - begin > self._slow.total_seconds():
            self._kept[namespace] = _Kept(totals, self._clock.now() + KEPT)
        return totals
