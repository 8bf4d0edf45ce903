"""Sends stored events to a trigger once more."""

import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from scheduler_service.app import firing
from scheduler_service.app.listeners import is_readable, outcome_of
from scheduler_service.app.metrics import SchedulerMetrics
from scheduler_service.app.runs import Budgets
from scheduler_service.app.signals import Signals
from scheduler_service.domain import trigger
from scheduler_service.domain.document import document
from scheduler_service.domain.errors import InvalidSchedule, ScheduleNotFound
from scheduler_service.domain.events import Event, Selection
from scheduler_service.domain.fire import Disposition, Fire
from scheduler_service.domain.schedule import Schedule
from scheduler_service.domain.spec import EventSpec
from scheduler_service.domain.type_pattern import hears_type
from scheduler_service.store import actions, fires, schedules
from scheduler_service.store import event_log as log
from scheduler_service.store.event_log import Position
from scheduler_service.store.events import count_fires
from scheduler_service.store.runs import with_runs
from service_kit.caller import Caller
from service_kit.clock import Clock
from service_kit.errors import InvalidArgument
from service_kit.postgres import AsyncConnection, Database

MOST_EVENTS: Final = 100_000
PART: Final = 200
"""Events in one transaction: 50 MiB at most."""

SHOWN: Final = 20


@dataclass(slots=True)
class Replayed:
    """What was replayed, or would be."""

    events: int = 0
    matched: int = 0
    fired: int = 0
    first_events: list[Event] = field(default_factory=list)

    def add(self, met: Sequence[Event], fired: int) -> None:
        """Takes what became of one part."""
        self.matched += len(met)
        self.fired += fired
        self.first_events += met[: SHOWN - len(self.first_events)]


Take = Callable[[Sequence[Event]], Awaitable[tuple[list[Event], int]]]
"""What is done with one part: the events that met the trigger, and how many fire."""


class Replays:
    """Every event fires by itself: what gathers or throttles does not, and a batch has one."""

    def __init__(self, database: Database, clock: Clock, signals: Signals, metrics: SchedulerMetrics) -> None:
        self._database = database
        self._clock = clock
        self._signals = signals
        self._metrics = metrics

    async def draft(self, selection: Selection, spec: EventSpec) -> Replayed:
        """What a trigger that is not stored would do with the events. Raises InvalidSchedule."""
        trigger.check(spec)
        return await self._each_part(selection, lambda part: self._count(part, spec))

    async def dry_run(self, caller: Caller, selection: Selection, schedule_id: str) -> Replayed:
        """What the trigger of a schedule would do. Raises ScheduleNotFound, InvalidSchedule."""
        schedule = await self._database.unit(
            lambda connection: schedules.read(connection, caller.namespace, schedule_id), readonly=True
        )
        return await self.draft(selection, _trigger(caller, schedule_id, schedule))

    async def run(self, caller: Caller, selection: Selection, schedule_id: str, request_id: str) -> Replayed:
        """Fires a schedule for the events, also when it is disabled; for each once under a request id.

        Raises ScheduleNotFound, InvalidSchedule.
        """
        key = request_id or uuid.uuid4().hex
        return await self._each_part(selection, lambda part: self._fire(caller, schedule_id, key, part))

    async def _each_part(self, selection: Selection, take: Take) -> Replayed:
        """Ends at what has come in by now, so that a replay never meets what it causes."""
        now = self._clock.now()
        until = now if selection.until is None else min(now, selection.until)
        selection = replace(selection, until=until)
        replayed, after = Replayed(), None
        replayed.events = await self._database.unit(
            lambda connection: log.count(connection, selection, MOST_EVENTS + 1), readonly=True
        )
        if replayed.events > MOST_EVENTS:
            rule = f"more than {MOST_EVENTS:,} events came in from then on; choose a shorter time"
            raise InvalidArgument(f"from_time: {rule}", violations=[("from_time", rule)])
        while True:
            part, position = await self._part(selection, after)
            if part or after is None:
                met, fired = await take(part)
                replayed.add(met, fired)
            if len(part) < PART:
                return replayed
            after = position

    async def _part(
        self, selection: Selection, after: Position | None
    ) -> tuple[list[Event], Position | None]:
        part = await self._database.unit(
            lambda connection: log.oldest(connection, selection, after, PART), readonly=True
        )
        return [each.event for each in part], part[-1].position if part else None

    async def _count(self, part: Sequence[Event], spec: EventSpec) -> tuple[list[Event], int]:
        met = _met(spec, part)
        return met, len(met)

    async def _fire(
        self, caller: Caller, schedule_id: str, key: str, part: Sequence[Event]
    ) -> tuple[list[Event], int]:
        now = self._clock.now()

        async def work(connection: AsyncConnection) -> tuple[list[Event], list[Fire], list[Fire]]:
            schedule = await schedules.lock(connection, caller.namespace, schedule_id)
            met = _met(_trigger(caller, schedule_id, schedule), part)
            assert schedule is not None, "or it has no trigger"
            if not await is_readable(connection, schedule):
                raise InvalidSchedule("schedule_id", "the schedule cannot be read")
            (schedule,) = await with_runs(connection, [schedule])
            return met, *await _record(connection, schedule, met, key, caller.actor, now)

        met, made, new = await self._database.unit(work)
        if new:
            self._signals.fires_made()
            self._metrics.recorded(new)
        return met, sum(fire.disposition is Disposition.PENDING for fire in made)


async def _record(
    connection: AsyncConnection, schedule: Schedule, met: Sequence[Event], key: str, actor: str, now: datetime
) -> tuple[list[Fire], list[Fire]]:
    """The fires of the events, and those of them that are new."""
    budgets = Budgets([schedule])
    made = [
        budgets.take(
            firing.by_event(schedule, event, now, outcome_of(event, schedule), replay=key, actor=actor), now
        )
        for event in met
    ]
    numbers = await fires.record(connection, made, now)
    new = [one.fire for one, number in zip(made, numbers, strict=True) if number is not None]
    if new:
        await count_fires(connection, {schedule.incarnation: len(new)})
        await actions.record(connection, schedule, "replay", actor, now, f"{len(new)} events")
    return [one.fire for one in made], new


def _met(spec: EventSpec, part: Sequence[Event]) -> list[Event]:
    return [
        event
        for event in part
        if hears_type(spec.type, event.type)
        and (not trigger.needs_document(spec) or trigger.meets(spec, document(event)))
    ]


def _trigger(caller: Caller, schedule_id: str, schedule: Schedule | None) -> EventSpec:
    if schedule is None:
        raise ScheduleNotFound(caller.namespace, schedule_id)
    spec = schedule.definition.timing.event
    if spec is None:
        raise InvalidSchedule("schedule_id", "is triggered by time, not by events")
    trigger.check(spec)
    return spec
