"""Waiting for something that a test can look at but that sends no signal."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def until(look: Callable[[], Awaitable[T]], what: str, seconds: float = 15) -> T:
    """Looks again and again until `look` returns something true, and returns that.

    Raises AssertionError naming `what` after `seconds`.
    """
    end = time.monotonic() + seconds
    while not (seen := await look()):
        if time.monotonic() > end:
            raise AssertionError(f"after {seconds} s still not: {what}; last seen: {seen!r}")
        await asyncio.sleep(0.005)
    return seen
