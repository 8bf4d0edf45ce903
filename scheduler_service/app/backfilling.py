"""Fires the instants of backfills, each backfill at its rate."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from scheduler_service.app import firing
from scheduler_service.app.metrics import SchedulerMetrics
from scheduler_service.app.signals import Signals
from scheduler_service.domain.backfill import Backfill
from scheduler_service.domain.errors import InvalidSchedule
from scheduler_service.domain.schedule import Schedule
from scheduler_service.store import backfills, fires
from scheduler_service.store.fires import NewFire
from service_kit.clock import Clock
from service_kit.logs import logger
from service_kit.postgres import AsyncConnection, Database

log = logger(__name__)

BATCH: Final = 500
"""Fires in one transaction."""

RETRY: Final = timedelta(minutes=1)
"""Until a backfill whose schedule cannot be read is tried again."""


class BackfillLoop:
    """Any number of replicas run one: what one has fired falls out under the lock of the backfill."""

    def __init__(self, database: Database, clock: Clock, signals: Signals, metrics: SchedulerMetrics) -> None:
        self._database = database
        self._clock = clock
        self._signals = signals
        self._metrics = metrics

    async def step(self) -> float | None:
        """Fires what one backfill may; returns the seconds until the next turn, None when none runs."""
        now = self._clock.now()
        made, turn = await self._database.unit(lambda connection: _step(connection, now))
        if made:
            self._signals.fires_made()
            self._metrics.recorded(new.fire for new in made)
        return None if turn is None else max(0.0, (turn - now).total_seconds())


async def _step(connection: AsyncConnection, now: datetime) -> tuple[list[NewFire], datetime | None]:
    claimed = await backfills.claim(connection, now)
    if claimed is None:
        # What is due is with another replica, or nothing is: look again after the usual time.
        return [], None
    schedule, backfill = claimed
    made, after = _turn(schedule, backfill, now)
    await fires.record(connection, made, now)
    if after is not backfill:
        await backfills.save(connection, after)
    return made, await backfills.next_turn(connection)


def _turn(schedule: Schedule, backfill: Backfill, now: datetime) -> tuple[list[NewFire], Backfill]:
    """One whose schedule cannot be read waits, and never stops the others."""
    try:
        instants, after = backfill.turn(backfill.table_of(schedule), now, BATCH)
        return [firing.by_backfill(schedule, backfill, instant, now) for instant in instants], after
    except InvalidSchedule as error:
        log.error("backfill waits", backfill_id=backfill.backfill_id, reason=error.message)
        return [], replace(backfill, turn_at=now + RETRY)
