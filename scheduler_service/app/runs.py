"""Schedules with `max_runs`: no more fires than that reach the queue, and after them it is disabled."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from scheduler_service.domain.change import SCHEDULER, stop
from scheduler_service.domain.fire import Disposition
from scheduler_service.domain.schedule import Schedule, used_up
from scheduler_service.store import actions, outbox, runs, schedules
from scheduler_service.store.fires import NewFire
from scheduler_service.store.outbox import Verdict
from service_kit.postgres import AsyncConnection


class Budgets:
    """Counts down the runs that locked schedules have left while events fire them."""

    def __init__(self, listeners: Iterable[Schedule]) -> None:
        limited = [(one, one.runs_left) for one in listeners]
        self._left = {one.incarnation: left for one, left in limited if left is not None}
        self._most = {one.incarnation: one.definition.max_runs for one, _ in limited}

    def take(self, new: NewFire, now: datetime) -> NewFire:
        """The fire, or its record as PAUSED when no run is left."""
        if not new.takes_run:
            return new
        left = self._left[new.incarnation]
        if left > 0:
            self._left[new.incarnation] = left - 1
            return new
        detail = used_up(self._most[new.incarnation])
        fire = replace(new.fire, disposition=Disposition.PAUSED, detail=detail, settled_at=now)
        return replace(new, fire=fire, due_task=None, takes_run=False)


async def settle_runs(
    connection: AsyncConnection, verdicts: Sequence[Verdict], now: datetime
) -> list[Schedule]:
    """Settles fires that take runs; returns the schedules that are disabled now, their last run taken."""
    locked = await runs.lock_of_fires(connection, (verdict.fire for verdict in verdicts))
    await outbox.settle_runs(connection, verdicts, now)
    found = await runs.with_runs(connection, locked)
    stopped = [await stop_when_used(connection, schedule, now) for schedule in found]
    return [after for before, after in zip(found, stopped, strict=True) if after is not before]


async def stop_when_used(connection: AsyncConnection, schedule: Schedule, now: datetime) -> Schedule:
    """Disables a locked schedule, its runs known, when all of them have reached the queue."""
    most = schedule.definition.max_runs
    if not most or not schedule.enabled or schedule.stats.run_count < most:
        return schedule
    return await stopped(connection, schedule, now, f"reached max_runs = {most}")


async def stopped(connection: AsyncConnection, schedule: Schedule, now: datetime, note: str) -> Schedule:
    """Disables a locked schedule on the scheduler's own account, with its audit record."""
    after = stop(schedule, now, note)
    await schedules.save(connection, after)
    await actions.record(connection, after, "disable", SCHEDULER, now, note)
    return after
