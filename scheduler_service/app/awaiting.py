"""Waits until what is due now has the queue's verdict."""

import asyncio
from datetime import datetime
from typing import Final

from scheduler_service.app.signals import Signals
from scheduler_service.store import outbox
from scheduler_service.store.outbox import Handover
from service_kit.caller import Caller
from service_kit.clock import Clock
from service_kit.postgres import Database

POLL: Final = 0.5
"""Seconds; other replicas settle without a word to this one."""


class Awaiting:
    """`handover` looks whenever this replica settles something, and twice a second."""

    def __init__(self, database: Database, clock: Clock, signals: Signals, poll: float = POLL) -> None:
        self._database = database
        self._clock = clock
        self._signals = signals
        self._poll = poll

    async def handover(self, caller: Caller) -> int:
        """Returns the number of fires that got their verdict during the call.

        Waits for the due instants of the namespace, at most as long as the caller does.
        """
        now = self._clock.now()
        with self._signals.settled() as settled:
            first = left = await self._database.unit(
                lambda connection: outbox.waiting(connection, caller.namespace, now), readonly=True
            )
            self._signals.due.set()
            while left.unplanned or left.unsettled:
                await _heard(settled, self._poll)
                settled.clear()
                left = await self._left(caller, now, first.last_fire)
        made = await self._database.unit(
            lambda connection: outbox.settled_since(connection, caller.namespace, now, first.last_fire),
            readonly=True,
        )
        return first.unsettled + made

    async def _left(self, caller: Caller, now: datetime, up_to: int) -> Handover:
        return await self._database.unit(
            lambda connection: outbox.waiting(connection, caller.namespace, now, up_to), readonly=True
        )


async def _heard(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
