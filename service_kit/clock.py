"""The service's clock is the database's; host clocks never matter."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from service_kit.errors import DatabaseUnavailable

LONGEST_TRIP: Final = timedelta(seconds=1)


class Clock(Protocol):
    """Tells the time as an aware UTC datetime."""

    def now(self) -> datetime:
        """The current instant, UTC."""
        ...


class ManualClock:
    """Stands still until it is told to move."""

    def __init__(self, now: datetime) -> None:
        self._now = now.astimezone(UTC)

    def now(self) -> datetime:
        """The instant that was set last."""
        return self._now

    def advance(self, by: timedelta) -> datetime:
        """Moves forward (or back, when negative) and returns the new instant."""
        self._now += by
        return self._now

    def set(self, now: datetime) -> None:
        """Jumps to `now`, which must be aware."""
        self._now = now.astimezone(UTC)


class DatabaseClock:
    """PostgreSQL's `clock_timestamp()`, sampled now and then and advanced by the monotonic clock.

    `read` asks the database (see `Database.now`). A sample is dated at the middle of its round trip, so that
    it is wrong by at most half of it; one that took longer than a second, because either side stood still,
    counts only when there is no other. While the database is away the last sample stays in force.
    """

    def __init__(
        self,
        read: Callable[[], Awaitable[datetime]],
        every: timedelta = timedelta(seconds=10),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._every = every
        self._monotonic = monotonic
        self._sample: tuple[datetime, float] | None = None
        self._task: asyncio.Task[None] | None = None

    def now(self) -> datetime:
        """The database's time, UTC. Raises DatabaseUnavailable before the first sample."""
        if self._sample is None:
            raise DatabaseUnavailable("PostgreSQL was not reached yet; repeat the request a little later")
        instant, taken = self._sample
        return instant + timedelta(seconds=self._monotonic() - taken)

    async def start(self) -> None:
        """Takes the first sample, then goes on by itself. Raises DatabaseUnavailable."""
        await self.sample()
        self._task = self._task or asyncio.create_task(self._keep_sampling(), name="database-clock")

    async def stop(self) -> None:
        """Ends the sampling; `now` goes on from the last sample."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def sample(self) -> None:
        """Asks the database once. Raises DatabaseUnavailable."""
        before = self._monotonic()
        instant = await self._read()
        after = self._monotonic()
        if self._sample is not None and after - before > LONGEST_TRIP.total_seconds():
            return
        self._sample = (instant.astimezone(UTC), (before + after) / 2)

    async def _keep_sampling(self) -> None:
        while True:
            await asyncio.sleep(self._every.total_seconds())
            try:
                await self.sample()
            except DatabaseUnavailable:
                continue
