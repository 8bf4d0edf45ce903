"""Totals: exact where counting is quick, shared for a while where it is not."""

import asyncio
from datetime import UTC, datetime, timedelta

from scheduler_service.app.tally import KEPT, SLOW, Tally
from scheduler_service.domain.schedule import Stats, Totals
from service_kit.clock import ManualClock

SECOND = timedelta(seconds=1)


class Counted:
    """Namespaces that were counted, each count one schedule more."""

    def __init__(self, slow: timedelta) -> None:
        self.clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
        self.asked: list[str] = []
        self.tally = Tally(self.clock, self._count, slow)

    async def _count(self, namespace: str) -> Totals:
        await asyncio.sleep(0)
        self.asked.append(namespace)
        return Totals(
            schedules=len(self.asked), enabled=0, overdue=0, next_fire=None, stats=Stats(), pending_fires=0
        )

    async def of(self, namespace: str = "default") -> int:
        return (await self.tally.of(namespace)).schedules


async def test_quick_count_is_never_kept() -> None:
    counted = Counted(SLOW)
    assert [await counted.of(), await counted.of()] == [1, 2]


async def test_slow_count_serves_everybody_of_its_namespace_for_a_while() -> None:
    counted = Counted(slow=-SECOND)
    assert await asyncio.gather(*(counted.of() for _ in range(5))) == [1] * 5
    assert await counted.of("other") == 2
    counted.clock.advance(KEPT - SECOND)
    assert await counted.of() == 1
    counted.clock.advance(SECOND)
    assert await counted.of() == 3
    assert counted.asked == ["default", "other", "default"]
