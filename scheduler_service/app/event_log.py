"""Stored events: what they were, what became of them, and what triggers make of them."""

from datetime import datetime
from typing import Final, NamedTuple

from scheduler_service.app import due_task
from scheduler_service.app.listeners import outcome_of, spec_of
from scheduler_service.domain import trigger
from scheduler_service.domain.document import document
from scheduler_service.domain.errors import EventNotFound, InvalidSchedule, ScheduleNotFound
from scheduler_service.domain.events import Event, Selection
from scheduler_service.domain.fire import Disposition, Fire
from scheduler_service.domain.gathering import gathers, waiting
from scheduler_service.domain.patterns.explain import ClauseOutcome
from scheduler_service.domain.payload import PayloadTooLong
from scheduler_service.domain.schedule import Schedule
from scheduler_service.domain.spec import EventSpec
from scheduler_service.domain.type_pattern import hears_type
from scheduler_service.store import event_log as store
from scheduler_service.store import fires, schedules
from scheduler_service.store.event_log import Position, Stored
from service_kit.caller import Caller
from service_kit.clock import Clock
from service_kit.postgres import AsyncConnection, Database

PAGE_BYTES: Final = 2 * 1024 * 1024
PART: Final = 50
"""Events that are fetched at once: 12 MiB at most."""

MOST_TRIGGERS: Final = 100


class Explanation(NamedTuple):
    """What one trigger makes of an event."""

    schedule_id: str
    """Empty for a trigger that is not stored."""
    matches: bool
    reason: str
    clauses: list[ClauseOutcome]
    payload: bytes


class EventLog:
    """Reads only."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def get(self, caller: Caller, source: str, event_id: str) -> tuple[Stored, list[Fire]]:
        """An event and its fires. Raises EventNotFound."""

        async def work(connection: AsyncConnection) -> tuple[Stored, list[Fire]]:
            found = await store.read(connection, caller.namespace, source, event_id)
            if found is None:
                raise EventNotFound(source, event_id)
            kept = await fires.by_numbers(connection, found.fires)
            return found, [kept[number] for number in found.fires if number in kept]

        return await self._database.unit(work, readonly=True)

    async def page(
        self, selection: Selection, before: Position | None, limit: int
    ) -> tuple[list[Stored], bool]:
        """At most `limit` events before a position, latest first, and whether there are more.

        Fewer when they are large: a page has at most 2 MiB of data, or one event.
        """
        found: list[Stored] = []
        size = 0
        while True:
            after = found[-1].position if found else before
            part = await self._database.unit(
                lambda connection: store.latest(connection, selection, after, PART),  # noqa: B023
                readonly=True,
            )
            for each in part:
                size += len(each.event.data)
                if found and (len(found) == limit or size > PAGE_BYTES):
                    return found, True
                found.append(each)
            if len(part) < PART:
                return found, False

    async def explain(self, caller: Caller, event: Event, schedule_id: str) -> list[Explanation]:
        """What a schedule, or the first 100 that events trigger, makes of an event.

        Raises ScheduleNotFound, and InvalidSchedule for one that no event triggers.
        """

        async def work(connection: AsyncConnection) -> list[Schedule]:
            if not schedule_id:
                return await store.listeners(connection, caller.namespace, MOST_TRIGGERS)
            found = await schedules.read(connection, caller.namespace, schedule_id)
            if found is None:
                raise ScheduleNotFound(caller.namespace, schedule_id)
            if found.definition.timing.event is None:
                raise InvalidSchedule("schedule_id", "is triggered by time, not by events")
            return [found]

        found, now = await self._database.unit(work, readonly=True), self._clock.now()
        return [explain_schedule(schedule, event, now) for schedule in found]


def explain_schedule(schedule: Schedule, event: Event, now: datetime) -> Explanation:
    """What a stored trigger makes of an event that would come in now."""
    spec, name = spec_of(schedule), schedule.schedule_id
    try:
        trigger.check(spec)
        template = due_task.template(schedule.definition.template)
    except InvalidSchedule as error:
        return Explanation(name, False, f"the schedule cannot be read: {error.message}", [], b"")
    clauses, refusal = _explained(spec, event)
    refusal = _deaf(schedule, now) or refusal
    if refusal:
        return Explanation(name, False, refusal, clauses, b"")
    made = outcome_of(event, schedule)
    return Explanation(
        name, True, _became(spec, made.disposition, made.detail), clauses, template.payload or made.payload
    )


def explain_draft(spec: EventSpec, event: Event) -> Explanation:
    """What a trigger that is not stored makes of an event. Raises InvalidSchedule when it breaks a rule."""
    trigger.check(spec)
    clauses, refusal = _explained(spec, event)
    if refusal:
        return Explanation("", False, refusal, clauses, b"")
    try:
        payload = trigger.payload_of(spec, [event.data], [document(event)])
    except PayloadTooLong as error:
        return Explanation("", True, _became(spec, Disposition.REJECTED, str(error)), clauses, b"")
    return Explanation("", True, _became(spec, Disposition.PENDING, ""), clauses, payload)


def _explained(spec: EventSpec, event: Event) -> tuple[list[ClauseOutcome], str]:
    clauses, refusal = trigger.explained(spec, document(event))
    if not hears_type(spec.type, event.type):
        refusal = f"it listens to {spec.type}, not to {event.type}"
    return clauses, refusal


def _deaf(schedule: Schedule, now: datetime) -> str:
    """Why it listens to nothing."""
    timing = schedule.definition.timing
    if schedule.invalid_reason:
        return f"the schedule cannot be read: {schedule.invalid_reason}"
    if not schedule.enabled:
        return "the schedule is disabled"
    if timing.start is not None and now < timing.start:
        return f"it listens from {timing.start:%Y-%m-%dT%H:%M:%SZ} on"
    if timing.end is not None and now > timing.end:
        return f"it listened until {timing.end:%Y-%m-%dT%H:%M:%SZ}"
    return ""


def _became(spec: EventSpec, disposition: Disposition, detail: str) -> str:
    if disposition is not Disposition.PENDING:
        return f"{disposition.name}: {detail}"
    if gathers(spec):
        return waiting(spec)
    if spec.throttle is not None:
        return f"fires, unless another event did within {spec.throttle.total_seconds():g} s"
    return "fires at once"
