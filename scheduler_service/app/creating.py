"""Creates schedules: any number in one transaction, each as if alone."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from scheduler_service.app.signals import Signals
from scheduler_service.domain.calendared import check_calendars
from scheduler_service.domain.errors import InvalidSchedule, RequestReused, ScheduleExists
from scheduler_service.domain.rules import check_definition
from scheduler_service.domain.schedule import Definition, Schedule, start_watermark
from scheduler_service.store import calendars, outcomes
from scheduler_service.store import creations as store
from scheduler_service.store.creations import NewSchedule
from service_kit.caller import Caller
from service_kit.clock import Clock
from service_kit.errors import ServiceError
from service_kit.postgres import AsyncConnection, Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Creation:
    """What to create. `fingerprint` tells a repeated request from another one with its id."""

    schedule_id: str
    definition: Definition
    enabled: bool
    request_id: str
    fingerprint: bytes


Answer: TypeAlias = Schedule | ServiceError


class Creator:
    """With a request id a creation is repeatable: the schedule comes back as the first call made it."""

    def __init__(self, database: Database, clock: Clock, signals: Signals) -> None:
        self._database = database
        self._clock = clock
        self._signals = signals

    async def create(self, caller: Caller, creation: Creation) -> Schedule:
        """Raises InvalidSchedule, ScheduleExists, RequestReused."""
        (answer,) = await self.create_all(caller, [creation])
        if isinstance(answer, ServiceError):
            raise answer
        return answer

    async def create_all(self, caller: Caller, creations: Sequence[Creation]) -> list[Answer]:
        """For each the schedule, or why there is none; what is right is stored in one transaction."""
        now = self._clock.now()
        made = [_made(caller, creation, now) for creation in creations]
        wanted = [new for new in made if isinstance(new, NewSchedule)]
        stored = iter(await self._stored(caller, wanted, now))
        answers = [next(stored) if isinstance(new, NewSchedule) else new for new in made]
        created = [answer for answer in answers if isinstance(answer, Schedule)]
        if created:
            listens = any(schedule.listens_to_system for schedule in created)
            self._signals.schedule_changed(listens_to_system=listens)
        return answers

    async def _stored(self, caller: Caller, wanted: Sequence[NewSchedule], now: datetime) -> list[Answer]:
        while True:
            try:
                return await self._database.unit(lambda connection: _store(connection, caller, wanted, now))
            except store.RequestRaced:
                # The other one has committed: its request is seen now.
                continue


async def _store(
    connection: AsyncConnection, caller: Caller, wanted: Sequence[NewSchedule], now: datetime
) -> list[Answer]:
    """A request id that comes twice is used by the first, and known when the second's turn comes."""
    answers, wanted = await _with_calendars(connection, caller, wanted)
    while len(answers) < len(wanted):
        turn = _first_of_each_request(wanted, answers.keys())
        found = await _store_some(connection, caller, [wanted[place] for place in turn], now)
        answers.update(zip(turn, found, strict=True))
    if any(isinstance(answer, Schedule) and answer.listens_to_system for answer in answers.values()):
        await outcomes.want_all_tasks(connection, True)
    return [answers[place] for place in range(len(wanted))]


async def _with_calendars(
    connection: AsyncConnection, caller: Caller, wanted: Sequence[NewSchedule]
) -> tuple[dict[int, Answer], list[NewSchedule]]:
    """Refusals by place, and all of them, with the calendars that they name."""
    named = {name for one in wanted for name in one.schedule.definition.timing.calendars}
    known = await calendars.name(connection, caller.namespace, named)
    refused: dict[int, Answer] = {}
    found = list(wanted)
    for place, one in enumerate(wanted):
        timing = one.schedule.definition.timing
        if timing.calendars:
            schedule = replace(
                one.schedule, calendars=tuple(each for each in known if each[0] in timing.calendars)
            )
            try:
                found[place] = replace(one, schedule=schedule.settled_until(schedule.watermark))
                check_calendars(timing, known)
            except InvalidSchedule as error:
                refused[place] = error
    return refused, found


def _first_of_each_request(wanted: Sequence[NewSchedule], done: Iterable[int]) -> list[int]:
    first: dict[str, int] = {}
    for place in sorted(set(range(len(wanted))) - set(done)):
        first.setdefault(wanted[place].request_id or f"{place} has none", place)
    return list(first.values())


async def _store_some(
    connection: AsyncConnection, caller: Caller, wanted: Sequence[NewSchedule], now: datetime
) -> list[Answer]:
    """The request ids differ."""
    answers = await _known(connection, caller, wanted)
    new = [one for one in wanted if one.schedule.incarnation not in answers]
    made = await store.insert(connection, new, caller.actor, now)
    answers |= {one.schedule.incarnation: one.schedule for one in new if one.schedule.incarnation in made}
    # The same request may have committed since the look above.
    left = [one for one in new if one.schedule.incarnation not in answers]
    answers |= await _known(connection, caller, left)
    return [
        answers.get(one.schedule.incarnation) or ScheduleExists(caller.namespace, one.schedule.schedule_id)
        for one in wanted
    ]


async def _known(
    connection: AsyncConnection, caller: Caller, wanted: Sequence[NewSchedule]
) -> dict[UUID, Answer]:
    """By incarnation what earlier requests of the same ids made, as far as there were any."""
    request_ids = [one.request_id for one in wanted if one.request_id]
    found = await store.created_before(connection, caller.namespace, request_ids) if request_ids else {}
    return {
        one.schedule.incarnation: _repeated(one, *found[one.request_id])
        for one in wanted
        if one.request_id in found
    }


def _repeated(asked: NewSchedule, fingerprint: bytes, schedule: Schedule) -> Answer:
    return schedule if fingerprint == asked.fingerprint else RequestReused(asked.request_id)


def _made(caller: Caller, creation: Creation, now: datetime) -> NewSchedule | InvalidSchedule:
    try:
        check_definition(creation.definition, creation.schedule_id)
        schedule = _schedule(caller, creation, now)
    except InvalidSchedule as error:
        return error
    return NewSchedule(schedule, creation.request_id, creation.fingerprint)


def _schedule(caller: Caller, creation: Creation, now: datetime) -> Schedule:
    watermark = start_watermark(creation.definition.timing, now)
    schedule = Schedule(
        namespace=caller.namespace,
        schedule_id=creation.schedule_id,
        incarnation=uuid.uuid4(),
        definition=creation.definition,
        enabled=creation.enabled,
        generation=1,
        note="",
        note_actor="",
        timed_from=watermark,
        watermark=watermark,
        next_fire=None,
        due_at=None,
        invalid_reason="",
        created_at=now,
        updated_at=now,
    )
    # Those with calendars stand where these say, within the transaction.
    return schedule if creation.definition.timing.calendars else schedule.settled_until(watermark)
