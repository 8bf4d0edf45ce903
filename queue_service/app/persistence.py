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


async def until_stored(work: Callable[[], Awaitable[T]], what: str) -> T:
    """Repeats `work`, which must be harmless to repeat, with backoff while PostgreSQL is away."""
    failures = 0
    while True:
        try:
            return await work()
        except DatabaseUnavailable as error:
            failures += 1
            if failures == 1:
                log.warning("waiting for the database", what=what, reason=error.message)
        await asyncio.sleep(backoff(failures, random.random()).total_seconds())
