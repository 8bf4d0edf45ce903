"""EventService: see event_service.proto."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, NoReturn, TypeAlias, TypeVar

from batonpass.scheduler.v1 import event_service_pb2 as pb
from batonpass.scheduler.v1.event_service_pb2_grpc import EventServiceServicer
from batonpass.scheduler.v1.schedule_pb2 import EventSpec as EventSpecMessage

from scheduler_service.api import decode, encode
from scheduler_service.api.texts import refuse_nul
from scheduler_service.app.event_log import EventLog, Explanation, explain_draft
from scheduler_service.app.events import Publisher
from scheduler_service.app.replays import Replays
from scheduler_service.domain import trigger
from scheduler_service.domain.daylight import REACH, is_within_reach
from scheduler_service.domain.document import read_json
from scheduler_service.domain.errors import InvalidSchedule
from scheduler_service.domain.events import DEFAULT_SOURCE, Event, Selection
from scheduler_service.domain.spec import EventSpec
from service_kit.caller import current_caller
from service_kit.clock import Clock
from service_kit.errors import InvalidArgument
from service_kit.pages import DEFAULT_SIZE, page_position, page_token
from service_kit.uuids import uuid7
from service_kit.validation import validate

Context: TypeAlias = Any

_URI_REFERENCE: Final = re.compile(r"[^\s\x00-\x1f\x7f]+")


class EventService(EventServiceServicer):
    """Decodes, calls, encodes."""

    def __init__(self, publisher: Publisher, log: EventLog, replays: Replays, clock: Clock) -> None:
        self._publisher = publisher
        self._log = log
        self._replays = replays
        self._clock = clock

    async def PublishEvent(
        self, request: pb.PublishEventRequest, context: Context
    ) -> pb.PublishEventResponse:
        """Documented in event_service.proto."""
        refuse_nul(request)
        caller = current_caller()
        event = _event(request.event, caller.namespace, self._clock.now())
        published = await self._publisher.publish(
            event, caller.actor, has_time=request.event.HasField("time")
        )
        return pb.PublishEventResponse(
            event=encode.event(published.event),
            created=published.created,
            fires=[encode.fire(fire) for fire in published.fires],
        )

    async def GetEvent(self, request: pb.GetEventRequest, context: Context) -> pb.GetEventResponse:
        """Documented in event_service.proto."""
        refuse_nul(request)
        source = request.source or DEFAULT_SOURCE
        stored, fires = await self._log.get(current_caller(), source, request.id)
        response = pb.GetEventResponse(
            event=encode.event(stored.event), fires=[encode.fire(fire) for fire in fires]
        )
        response.receive_time.FromDatetime(stored.received_at)
        return response

    async def ListEvents(self, request: pb.ListEventsRequest, context: Context) -> pb.ListEventsResponse:
        """Documented in event_service.proto."""
        refuse_nul(request)
        selection = _selection(request)
        token = page_position(selection, request.page_token)
        before = None if token is None else (datetime.fromisoformat(token[0]), str(token[1]), str(token[2]))
        found, more = await self._log.page(selection, before, request.page_size or DEFAULT_SIZE)
        response = pb.ListEventsResponse(events=[encode.event(stored.event) for stored in found])
        if more:
            received_at, source, event_id = found[-1].position
            response.next_page_token = page_token(selection, [received_at.isoformat(), source, event_id])
        return response

    async def ExplainEvent(
        self, request: pb.ExplainEventRequest, context: Context
    ) -> pb.ExplainEventResponse:
        """Documented in event_service.proto."""
        refuse_nul(request)
        event = await self._meant(request.event)
        if request.HasField("draft"):
            explained = [_of_draft(lambda spec: explain_draft(spec, event), request.draft)]
        else:
            explained = await self._log.explain(current_caller(), event, request.schedule_id)
        return pb.ExplainEventResponse(triggers=[_explanation(each) for each in explained])

    async def ReplayEvents(
        self, request: pb.ReplayEventsRequest, context: Context
    ) -> pb.ReplayEventsResponse:
        """Documented in event_service.proto."""
        refuse_nul(request)
        caller, selection, replays = current_caller(), _selection(request), self._replays
        if request.HasField("draft"):
            if not request.dry_run:
                _refuse("draft", "is only for a dry run; store the schedule to replay events into it")
            replayed = await _of_draft(lambda spec: replays.draft(selection, spec), request.draft)
        elif request.dry_run:
            replayed = await replays.dry_run(caller, selection, request.schedule_id)
        else:
            replayed = await replays.run(caller, selection, request.schedule_id, request.request_id)
        return pb.ReplayEventsResponse(
            events=replayed.events,
            matched=replayed.matched,
            fired=replayed.fired,
            first_events=[encode.event(event) for event in replayed.first_events],
        )

    async def _meant(self, message: pb.Event) -> Event:
        """The stored event when there is only its name, else the one that is given."""
        caller = current_caller()
        if message.id and not message.type:
            stored, _ = await self._log.get(caller, message.source or DEFAULT_SOURCE, message.id)
            return stored.event
        validate(pb.PublishEventRequest(event=message))
        return _event(message, caller.namespace, self._clock.now())


Answer = TypeVar("Answer")


def _of_draft(make: Callable[[EventSpec], Answer], message: EventSpecMessage) -> Answer:
    """What `make` says of a trigger that is not stored. Raises InvalidSchedule below `draft`."""
    spec = decode.event_spec(message, "draft.")
    try:
        trigger.check(spec)
    except InvalidSchedule as error:
        raise error.below("draft.") from error
    return make(spec)


def _selection(request: pb.ListEventsRequest | pb.ReplayEventsRequest) -> Selection:
    """Which events. Raises InvalidArgument."""
    has_from, has_until = request.HasField("from_time"), request.HasField("until_time")
    return Selection(
        namespace=current_caller().namespace,
        type=request.type,
        source=request.source,
        since=decode.instant(request.from_time, "from_time") if has_from else None,
        until=decode.instant(request.until_time, "until_time") if has_until else None,
    )


def _explanation(value: Explanation) -> pb.TriggerExplanation:
    return pb.TriggerExplanation(
        schedule_id=value.schedule_id,
        matches=value.matches,
        reason=value.reason,
        payload=value.payload,
        clauses=[
            pb.ClauseOutcome(path=each.path, clause=each.clause, met=each.met, found=each.found)
            for each in value.clauses
        ],
    )


def _event(message: pb.Event, namespace: str, now: datetime) -> Event:
    """With defaults filled in. Raises InvalidArgument."""
    source = message.source or DEFAULT_SOURCE
    if not _URI_REFERENCE.fullmatch(source):
        _refuse("event.source", "must be a URI reference, which has no spaces and control characters")
    if message.data:
        _check_json(message.data)
    time = decode.instant(message.time, "event.time") if message.HasField("time") else now
    if not is_within_reach(time):
        _refuse("event.time", REACH)
    return Event(
        namespace=namespace,
        source=source,
        event_id=message.id or uuid7(now),
        type=message.type,
        subject=message.subject,
        time=time,
        data=message.data,
    )


def _check_json(data: bytes) -> None:
    try:
        read_json(data)
    except ValueError as error:
        _refuse("event.data", f"must be a JSON document in UTF-8: {error}")


def _refuse(field: str, rule: str) -> NoReturn:
    raise InvalidArgument(f"{field}: {rule}", violations=[(field, rule)])
