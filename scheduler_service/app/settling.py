"""Writes verdicts down: the fire is settled and the outbox forgets it, in one transaction per group."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from scheduler_service.app.metrics import SchedulerMetrics
from scheduler_service.app.runs import settle_runs
from scheduler_service.app.signals import Signals
from scheduler_service.app.window import Window
from scheduler_service.store.outbox import Outbox, Verdict
from service_kit.clock import Clock
from service_kit.logs import logger
from service_kit.postgres import Database

log = logger(__name__)

GROUP: Final = 1000


class Settling:
    """A verdict stays in the window until it is written down, however long the database is away."""

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        window: Window,
        clock: Clock,
        signals: Signals,
        metrics: SchedulerMetrics,
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._window = window
        self._clock = clock
        self._signals = signals
        self._metrics = metrics

    async def step(self) -> float | None:
        """Settles one group; returns 0 when there are more verdicts, else None."""
        verdicts = self._window.answered(GROUP)
        if not verdicts:
            return None
        now = self._clock.now()
        if await self._outbox.settle(verdicts, now) < len(verdicts):
            await self._settle_runs(verdicts, now)
        self._window.settled(verdicts)
        self._metrics.in_flight.set(len(self._window))
        for disposition, count in Counter(verdict.disposition for verdict in verdicts).items():
            self._metrics.verdicts.labels(disposition.name).inc(count)
        self._signals.fires_settled()
        return 0.0

    async def _settle_runs(self, verdicts: Sequence[Verdict], now: datetime) -> None:
        """What is left takes runs of schedules that have only so many, unless others have settled it."""
        stopped = await self._database.unit(lambda connection: settle_runs(connection, verdicts, now))
        for schedule in stopped:
            log.info("schedule has used its runs", schedule_id=schedule.schedule_id, note=schedule.note)
