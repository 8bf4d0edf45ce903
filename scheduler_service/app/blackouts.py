"""Tells the queue of blackouts: what it shall hold in the next 48 hours."""

from datetime import datetime, timedelta
from typing import Final

from scheduler_service.app.metrics import SchedulerMetrics
from scheduler_service.app.queue_client import QueueClient, QueueUnavailable
from scheduler_service.domain.blackouts import told
from scheduler_service.store import pushes
from scheduler_service.store.pushes import Push
from service_kit.clock import Clock
from service_kit.logs import logger
from service_kit.postgres import Database

log = logger(__name__)

BATCH: Final = 20
RETRY: Final = timedelta(seconds=5)
"""Until a calendar is told again that the queue has not taken."""


class Blackouts:
    """Any number of replicas run one. What is decided later has a higher number, and the queue keeps that."""

    def __init__(
        self, database: Database, queue: QueueClient, clock: Clock, metrics: SchedulerMetrics
    ) -> None:
        self._database = database
        self._queue = queue
        self._clock = clock
        self._metrics = metrics

    async def step(self) -> float | None:
        """Tells what is to be told; returns the seconds until there is more, None when there is nothing."""
        now = self._clock.now()
        claimed = await self._database.unit(
            lambda connection: pushes.claim(connection, now, BATCH, now + RETRY)
        )
        for push in claimed:
            await self._tell(push, now)
        following = await self._database.unit(pushes.next_push, readonly=True)
        return None if following is None else max(0.0, (following - now).total_seconds())

    async def _tell(self, push: Push, now: datetime) -> None:
        calendar, blackout = push.calendar, push.calendar.definition.blackout
        news = None if push.is_deleted or blackout is None else told(calendar.definition.rules, now)
        try:
            await self._queue.set_holds(calendar, push.number, [] if news is None else news.periods)
        except QueueUnavailable as error:
            self._metrics.blackouts_untold.inc()
            log.warning(
                "the queue has not taken a blackout",
                namespace=calendar.namespace,
                calendar_id=calendar.calendar_id,
                error=error.message,
            )
            return
        self._metrics.blackouts_told.inc()
        again_at = None if news is None else news.again_at
        await self._database.unit(lambda connection: pushes.done(connection, push, again_at))
