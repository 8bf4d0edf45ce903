"""Whether the database is there and fit for use, watched and told to health."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

from service_kit.errors import DatabaseUnavailable
from service_kit.health import Health
from service_kit.loops import Loop
from service_kit.postgres import AsyncConnection, Database, raw

Check = Callable[[AsyncConnection], Awaitable[str | None]]


class Readiness:
    """Runs `checks` now and then; each returns None, or the reason why the service cannot work.

    Health is told under the source `database`. `loop` is the watching; `wait` returns after the first good
    look.
    """

    def __init__(
        self,
        database: Database,
        health: Health,
        checks: Sequence[Check] = (),
        every: timedelta = timedelta(seconds=2),
    ) -> None:
        self._database = database
        self._health = health
        self._checks = checks
        self._ready = asyncio.Event()
        self.loop = Loop("readiness", self.step, every)

    async def wait(self) -> None:
        """Returns when the database was fit for use once."""
        await self._ready.wait()

    async def step(self) -> None:
        """Looks once."""
        reason = await self._look()
        if reason is None:
            self._ready.set()
            await self._health.serving("database")
        else:
            await self._health.not_serving(reason, "database")

    async def _look(self) -> str | None:
        try:
            return await self._database.unit(self._first_reason, readonly=True)
        except DatabaseUnavailable as error:
            return error.message

    async def _first_reason(self, connection: AsyncConnection) -> str | None:
        await (await raw(connection)).fetchval("SELECT 1")
        for check in self._checks:
            reason = await check(connection)
            if reason is not None:
                return reason
        return None
