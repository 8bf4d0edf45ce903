"""Doing something until the database has taken it."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from service_kit.errors import DatabaseUnavailable
from service_kit.logs import logger
from service_kit.loops import backoff

T = TypeVar("T")

log = logger(__name__)


class Persistence:
    """Repeats work while PostgreSQL is away, until the service stops."""

    def __init__(self) -> None:
        self._stopping = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._under_way = 0

    async def until_stored(self, work: Callable[[], Awaitable[T]], what: str) -> T:
        """Repeats `work`, which must be harmless to repeat, with backoff.

        Raises DatabaseUnavailable only after `stop`: whoever said it will say it to another replica.
        """
        self._under_way += 1
        self._idle.clear()
        try:
            return await self._repeated(work, what)
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()

    async def stop(self) -> None:
        """Work under way is tried once more at most; returns when that is over."""
        self._stopping.set()
        await self._idle.wait()

    async def _repeated(self, work: Callable[[], Awaitable[T]], what: str) -> T:
        failures = 0
        while True:
            try:
                return await work()
            except DatabaseUnavailable as error:
                failures += 1
                if failures == 1:
                    log.warning("waiting for the database", what=what, reason=error.message)
                if self._stopping.is_set():
                    raise
            await self._rest(backoff(failures, random.random()).total_seconds())

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return
