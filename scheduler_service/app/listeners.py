"""What the listeners of events make of them, in the transaction that stores the events."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from scheduler_service.app import due_task, firing
from scheduler_service.app.firing import EventOutcome
from scheduler_service.app.runs import Budgets
from scheduler_service.domain import trigger
from scheduler_service.domain.change import SCHEDULER
from scheduler_service.domain.document import document
from scheduler_service.domain.errors import InvalidSchedule
from scheduler_service.domain.events import Event, event_disposition
from scheduler_service.domain.fire import Disposition, Fire
from scheduler_service.domain.gathering import gathers, portions, throttled, waiting
from scheduler_service.domain.payload import PayloadTooLong
from scheduler_service.domain.schedule import Schedule
from scheduler_service.domain.spec import EventSpec
from scheduler_service.store import events as store
from scheduler_service.store import fires, gatherings
from scheduler_service.store.due import mark_invalid
from scheduler_service.store.events import EventKey, key_of
from scheduler_service.store.fires import NewFire
from service_kit.logs import logger
from service_kit.postgres import AsyncConnection

log = logger(__name__)


def hearers(event: Event, listeners: Iterable[Schedule], now: datetime) -> list[Schedule]:
    """Those of the listeners that the event triggers, in their order."""
    found = [listener for listener in listeners if listener.hears(event, now)]
    if not any(trigger.needs_document(spec_of(listener)) for listener in found):
        return found
    made = document(event)
    return [listener for listener in found if _meets(listener, made)]


async def fire_listeners(
    connection: AsyncConnection, events: Sequence[Event], listeners: Sequence[Schedule], now: datetime
) -> list[list[Fire]]:
    """Settles, for each event that is new, what becomes of it at each listener it triggers, by their ids.

    The listeners are locked by this transaction.
    """
    readable = [listener for listener in listeners if await is_readable(connection, listener)]
    heard = [(event, listener) for event in events for listener in hearers(event, readable, now)]
    throttles = await _Throttles.read(connection, (listener for _, listener in heard), now)
    budgets = Budgets(readable)
    made = [budgets.take(_fire(event, listener, throttles, now), now) for event, listener in heard]
    numbers = await fires.record(connection, made, now)
    recorded = [
        (event, listener, new, number)
        for (event, listener), new, number in zip(heard, made, numbers, strict=True)
        if number is not None
    ]
    await throttles.save(connection)
    await _gather(connection, [(one, new, key_of(event), n) for event, one, new, n in recorded], now)
    await store.link(connection, [(key_of(event), number) for event, _, _, number in recorded])
    await store.count_fires(connection, Counter(new.incarnation for _, _, new, _ in recorded))
    return [[new.fire for event, _, new, _ in recorded if event is each] for each in events]


async def emit(
    connection: AsyncConnection, events: Sequence[Event], listeners: Sequence[Schedule], now: datetime
) -> list[Fire]:
    """Stores events of the scheduler's own, each once, and fires the listeners, which are locked."""
    new = await store.record(connection, [(event, SCHEDULER) for event in events], now)
    created = [event for event in events if key_of(event) in new]
    return [fire for made in await fire_listeners(connection, created, listeners, now) for fire in made]


def outcome_of(event: Event, listener: Schedule) -> EventOutcome:
    """What an event makes of a trigger when it is alone."""
    disposition, detail = event_disposition(event.depth)
    if disposition is not Disposition.PENDING:
        return EventOutcome(disposition, detail)
    try:
        return EventOutcome(Disposition.PENDING, payload=payload_for(listener, [event]))
    except PayloadTooLong as error:
        return EventOutcome(Disposition.REJECTED, str(error))


def payload_for(listener: Schedule, events: Sequence[Event]) -> bytes:
    """What the events hand to the task, at least one. Raises PayloadTooLong."""
    spec = listener.definition.timing.event
    if listener.definition.has_payload:
        return b""
    if spec is None:
        return events[-1].data
    documents = [document(event) for event in events] if spec.payload_template else []
    return trigger.payload_of(spec, [event.data for event in events], documents)


def spec_of(listener: Schedule) -> EventSpec:
    """The trigger of a schedule that listens."""
    spec = listener.definition.timing.event
    assert spec is not None, "only for listeners"
    return spec


async def is_readable(connection: AsyncConnection, listener: Schedule) -> bool:
    """A listener that cannot be read is reported and never stops the others."""
    try:
        due_task.template(listener.definition.template)
        if listener.definition.timing.event is not None:
            trigger.check(spec_of(listener))
    except InvalidSchedule as error:
        log.error(
            "schedule cannot be read and does not fire",
            schedule_id=listener.schedule_id,
            reason=error.message,
        )
        await mark_invalid(connection, listener, error.message)
        return False
    return True


class _Throttles:
    """When the triggers that fire once in a while fired last, as events go by."""

    def __init__(self, fired: dict[UUID, datetime], now: datetime) -> None:
        self._fired = fired
        self._now = now
        self._changed: set[UUID] = set()

    @classmethod
    async def read(
        cls, connection: AsyncConnection, listeners: Iterable[Schedule], now: datetime
    ) -> "_Throttles":
        limited = {each.incarnation for each in listeners if spec_of(each).throttle is not None}
        return cls(await gatherings.fired_last(connection, limited) if limited else {}, now)

    def refusal(self, listener: Schedule) -> str:
        """Why an event does not fire; empty when it does, which counts from then on."""
        spec = spec_of(listener)
        refusal = throttled(spec, self._fired.get(listener.incarnation), self._now)
        if spec.throttle is not None and not refusal:
            self._fired[listener.incarnation] = self._now
            self._changed.add(listener.incarnation)
        return refusal

    async def save(self, connection: AsyncConnection) -> None:
        """Writes down what fired."""
        if self._changed:
            await gatherings.save_fired(connection, sorted(self._changed), self._now)


def _fire(event: Event, listener: Schedule, throttles: _Throttles, now: datetime) -> NewFire:
    made = outcome_of(event, listener)
    spec = spec_of(listener)
    if made.disposition is Disposition.LOOP_CUT:
        return firing.by_event(listener, event, now, made)
    if gathers(spec):
        made = EventOutcome(Disposition.PENDING, waiting(spec), waits=True)
    elif refusal := throttles.refusal(listener):
        made = EventOutcome(Disposition.THROTTLED, refusal)
    return firing.by_event(listener, event, now, made)


async def _gather(
    connection: AsyncConnection,
    recorded: Sequence[tuple[Schedule, NewFire, EventKey, int]],
    now: datetime,
) -> None:
    """Puts the fires that wait into the gatherings of their schedules."""
    waits = [each for each in recorded if _waits(each[1])]
    if not waits:
        return
    owners = {listener.incarnation: listener for listener, _, _, _ in waits}
    opened = await gatherings.open_of(connection, owners, now)
    for incarnation, listener in owners.items():
        arrived = [(key, number) for one, _, key, number in waits if one.incarnation == incarnation]
        there = opened.get(incarnation)
        for portion in portions(spec_of(listener), there.size if there else 0, len(arrived), now):
            await gatherings.add(connection, listener, there, portion, arrived[: portion.count])
            arrived = arrived[portion.count :]


def _waits(new: NewFire) -> bool:
    return new.fire.disposition is Disposition.PENDING and new.due_task is None


def _meets(listener: Schedule, made: dict[str, object]) -> bool:
    """One that cannot be read is reported by who fires it."""
    try:
        return trigger.meets(spec_of(listener), made)
    except ValueError:
        return True
