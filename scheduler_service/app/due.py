"""Fires what is due: plans, records and advances in one transaction per batch."""

import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from scheduler_service.app import firing
from scheduler_service.app.metrics import SchedulerMetrics
from scheduler_service.app.signals import Signals
from scheduler_service.domain.errors import InvalidSchedule
from scheduler_service.domain.plan import FIRES_PER_STEP
from scheduler_service.domain.schedule import Schedule
from scheduler_service.store import due, fires
from scheduler_service.store.fires import NewFire
from service_kit.clock import Clock
from service_kit.logs import logger
from service_kit.postgres import AsyncConnection, Database

log = logger(__name__)

BATCH: Final = 500
"""Schedules in one transaction."""

MOST_FIRES: Final = 2000
MOST_BYTES: Final = 16 * 1024 * 1024
"""Fires and bytes of due tasks in one transaction; what is left is due at once again."""

MOST_PLANNING: Final = 1.0
"""Seconds after which a batch takes no further schedule: a transaction that is idle for 5 s is ended."""

BUSY_WAIT: Final = 0.05
"""Seconds until the next look when other replicas hold what is due."""


@dataclass(slots=True)
class Batch:
    """What one transaction did."""

    claimed: int = 0
    schedules: list[Schedule] = field(default_factory=list)
    fires: list[NewFire] = field(default_factory=list)
    bytes: int = 0
    lateness: list[float] = field(default_factory=list)
    """Seconds, of each fire for the queue."""
    invalid: list[tuple[Schedule, str]] = field(default_factory=list)
    next_due: datetime | None = None
    begun: float = field(default_factory=time.monotonic)
    is_cut: bool = False
    """Whether schedules were left because planning took long."""

    @property
    def is_full(self) -> bool:
        """Whether it shall not grow."""
        return len(self.fires) >= MOST_FIRES or self.bytes >= MOST_BYTES

    @property
    def is_late(self) -> bool:
        """Whether the transaction has been idle for long enough."""
        return bool(self.schedules) and time.monotonic() - self.begun >= MOST_PLANNING

    def add(self, before: Schedule, after: Schedule, made: list[NewFire], now: datetime) -> None:
        """Takes what became of one schedule."""
        self.schedules.append(after)
        self.fires += made
        for new in made:
            if new.due_task is not None:
                self.bytes += len(new.due_task)
                due_at = max(new.fire.nominal, before.due_at or new.fire.nominal)
                self.lateness.append(max(0.0, (now - due_at).total_seconds()))


class DueLoop:
    """Any number of replicas run one; row locks and unique keys keep them apart."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        signals: Signals,
        metrics: SchedulerMetrics,
        batch: int = BATCH,
    ) -> None:
        self._database = database
        self._clock = clock
        self._signals = signals
        self._metrics = metrics
        self._batch = batch

    async def step(self) -> float | None:
        """Fires one batch; returns the seconds until the next one is due, None when there is none."""
        now = self._clock.now()
        batch = await self._database.unit(lambda connection: self._fire(connection, now))
        if any(new.due_task for new in batch.fires):
            self._signals.fires_made()
        self._tell(batch)
        if batch.is_full or batch.is_cut or batch.claimed == self._batch:
            return 0.0
        if batch.next_due is None:
            return None
        return BUSY_WAIT if batch.next_due <= now else (batch.next_due - now).total_seconds()

    async def _fire(self, connection: AsyncConnection, now: datetime) -> Batch:
        batch = Batch()
        claimed = await due.claim(connection, now, self._batch)
        batch.claimed = len(claimed)
        for schedule in claimed:
            batch.is_cut = batch.is_late
            if batch.is_full or batch.is_cut:
                break
            _plan(batch, schedule, now)
        numbers = await fires.record(connection, batch.fires, now)
        if batch.schedules:
            await due.advance(connection, batch.schedules, fires.sent(batch.fires, numbers))
        for schedule, reason in batch.invalid:
            await due.mark_invalid(connection, schedule, reason)
        batch.next_due = await due.next_due(connection)
        return batch

    def _tell(self, batch: Batch) -> None:
        self._metrics.recorded(new.fire for new in batch.fires)
        for seconds in batch.lateness:
            self._metrics.lateness.observe(seconds)
        for schedule, reason in batch.invalid:
            self._metrics.invalid.inc()
            log.error(
                "schedule cannot be read and does not fire",
                namespace=schedule.namespace,
                schedule_id=schedule.schedule_id,
                reason=reason,
            )


def _plan(batch: Batch, schedule: Schedule, now: datetime) -> None:
    """One schedule that cannot be planned, for whatever reason, never stops the others."""
    size = len(schedule.definition.template) + 1
    limit = max(1, min(FIRES_PER_STEP, MOST_FIRES - len(batch.fires), MOST_BYTES // size))
    try:
        planned = schedule.due(now, limit)
        made = [firing.by_time(schedule, settled, now) for settled in planned.settled]
    except InvalidSchedule as error:
        batch.invalid.append((schedule, error.message))
    except Exception as error:
        log.exception("schedule cannot be planned", schedule_id=schedule.schedule_id)
        batch.invalid.append((schedule, f"{type(error).__name__}: {error}"))
    else:
        batch.add(schedule, schedule.after(planned), made, now)
