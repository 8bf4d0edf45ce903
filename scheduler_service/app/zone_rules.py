"""Brings stored next fires up to date when this replica has another release of the time zone database.

They are a cache: every replica plans by its own rules, and the identity of a fire keeps an instant single,
whoever fires it. While replicas of two releases run side by side, a schedule in a zone that differs may fire
by either; an older replica never takes the stored rules back.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from scheduler_service.app.metrics import SchedulerMetrics
from scheduler_service.app.signals import Signals
from scheduler_service.domain.errors import InvalidSchedule
from scheduler_service.domain.schedule import Schedule
from scheduler_service.domain.zone_rules import Change, Moved, changed_zones, is_older, rules_in_use
from scheduler_service.domain.zones import version
from scheduler_service.store import due
from scheduler_service.store import zone_rules as store
from service_kit.clock import Clock
from service_kit.logs import logger
from service_kit.postgres import AsyncConnection, Database

log = logger(__name__)

PAGE: Final = 500
_MARGIN: Final = timedelta(days=1)
"""Schedules may stand a little in the past."""


class ZoneRules:
    """`step` does its work once; every replica runs it."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        signals: Signals,
        metrics: SchedulerMetrics,
        rules: Callable[[], Mapping[str, bytes]] = rules_in_use,
        release: Callable[[], str] = version,
    ) -> None:
        self._database = database
        self._clock = clock
        self._signals = signals
        self._metrics = metrics
        self._rules = rules
        self._release = release
        self._is_done = False

    async def step(self) -> float | None:
        """In one transaction: all stored next fires follow these rules, and what moved is written down."""
        if self._is_done:
            return None
        rules = await asyncio.to_thread(self._rules)
        release, now = self._release(), self._clock.now()
        moved = await self._database.unit(lambda connection: _apply(connection, rules, release, now))
        self._is_done = True
        if moved:
            log.warning("new rules of time zones have moved schedules", release=release, schedules=moved)
            self._metrics.moved.inc(moved)
            self._signals.due.set()
        return None


async def _apply(connection: AsyncConnection, rules: Mapping[str, bytes], release: str, now: datetime) -> int:
    """How many schedules moved."""
    await store.lock(connection)
    stored = await store.last_release(connection)
    if stored is not None and is_older(release, stored):
        log.warning("stored next fires follow newer rules of time zones", here=release, stored=stored)
        return 0
    before = await store.read(connection)
    changed = {name: data for name, data in rules.items() if before.get(name) != data}
    if stored == release and not changed:
        return 0
    moved = await _recompute(connection, changed_zones(before, changed, now - _MARGIN), release, now)
    await store.save(connection, changed, release, now, moved)
    return moved


async def _recompute(
    connection: AsyncConnection, changes: Mapping[str, Change], release: str, now: datetime
) -> int:
    """Page by page, so that it needs little memory, and all within the one transaction."""
    after, count, more = ("", ""), 0, bool(changes)
    while more:
        page = await store.lock_in_zones(connection, changes, after, PAGE)
        more = len(page) == PAGE
        if page:
            after = (page[-1].namespace, page[-1].schedule_id)
            moved = [found for schedule in page if (found := _moved(schedule, changes)) is not None]
            await store.record_moved(connection, moved, release, now)
            await due.advance(connection, [schedule for schedule, _ in moved], {})
            count += len(moved)
    return count


def _moved(schedule: Schedule, changes: Mapping[str, Change]) -> tuple[Schedule, Moved] | None:
    """The schedule where it stands now, and its instants; None when nothing moves."""
    timing = schedule.definition.timing
    try:
        moved = changes[timing.time_zone].moved(timing, schedule.schedule_id, schedule.watermark)
        return None if moved is None else (schedule.settled_until(schedule.watermark), moved)
    except InvalidSchedule:
        return None
