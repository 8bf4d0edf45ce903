"""Housekeeping: retention, and schedules that could not be read."""

from dataclasses import replace
from typing import Final

from scheduler_service.app import due_task
from scheduler_service.app.metrics import SchedulerMetrics
from scheduler_service.app.signals import Signals
from scheduler_service.domain.errors import InvalidSchedule
from scheduler_service.domain.schedule import Schedule
from scheduler_service.store import due, schedules
from scheduler_service.store.maintenance import RETENTIONS, prune
from service_kit.clock import Clock
from service_kit.logs import logger
from service_kit.postgres import AsyncConnection, Database

log = logger(__name__)

PAGE: Final = 500


class Maintenance:
    """Every replica runs it: each part is harmless when done twice."""

    def __init__(self, database: Database, clock: Clock, signals: Signals, metrics: SchedulerMetrics) -> None:
        self._database = database
        self._clock = clock
        self._signals = signals
        self._metrics = metrics

    async def step(self) -> float | None:
        """One small batch of each kind; returns 0 while there is more."""
        now = self._clock.now()
        more = [await prune(self._database, retention, now) for retention in RETENTIONS]
        await self._revive()
        return 0.0 if any(more) else None

    async def _revive(self) -> None:
        """A schedule that this version can read fires again; its policy decides on what it missed."""

        async def work(connection: AsyncConnection) -> list[Schedule]:
            revived = []
            for schedule in await due.lock_invalid(connection, PAGE):
                readable = _readable(schedule)
                if readable is not None:
                    await schedules.save(connection, readable)
                    revived.append(readable)
            return revived

        revived = await self._database.unit(work)
        for schedule in revived:
            log.info("schedule can be read again", schedule_id=schedule.schedule_id)
            self._signals.schedule_changed(listens_to_system=schedule.listens_to_system)


def _readable(schedule: Schedule) -> Schedule | None:
    try:
        due_task.template(schedule.definition.template)
        return replace(schedule.settled_until(schedule.watermark), invalid_reason="")
    except InvalidSchedule:
        return None
