"""Bells: wake everybody who waits for something to happen."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

TASKS: Final = "batonpass_queue_tasks"
"""NOTIFY channel: tasks may start that could not before."""

OUTCOMES: Final = "batonpass_queue_outcomes"
"""NOTIFY channel: tasks have ended."""

CANCELS: Final = "batonpass_queue_cancels"
"""NOTIFY channel: agents are to be asked to stop a task."""

LIMITS: Final = "batonpass_queue_limits"
"""NOTIFY channel: limits or thresholds have changed."""

HOLDS: Final = "batonpass_queue_holds"
"""NOTIFY channel: holds were set."""

CHANNELS: Final = (TASKS, OUTCOMES, CANCELS, LIMITS, HOLDS)


class Bell:
    """Any number may listen; `close` wakes them for the last time."""

    def __init__(self) -> None:
        self._listeners: set[asyncio.Event] = set()
        self.closed = False

    def ring(self) -> None:
        """Wakes all who listen; what arrives while they are busy makes them look again."""
        for listener in self._listeners:
            listener.set()

    def close(self) -> None:
        """Tells all who listen, now or later, that it is over."""
        self.closed = True
        self.ring()

    @contextmanager
    def listening(self) -> Iterator[asyncio.Event]:
        """An event that is set at each ring; whoever waits for it clears it before looking."""
        event = asyncio.Event()
        self._listeners.add(event)
        try:
            yield event
        finally:
            self._listeners.discard(event)


async def heard(event: asyncio.Event, seconds: float) -> bool:
    """Waits for the event, at most `seconds`; True when it came."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True
