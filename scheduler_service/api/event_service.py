"""EventService: see event_service.proto."""

import json
import re
from datetime import datetime
from typing import Any, Final, NoReturn, TypeAlias

from batonpass.scheduler.v1 import event_service_pb2 as pb
from batonpass.scheduler.v1.event_service_pb2_grpc import EventServiceServicer

from scheduler_service.api import decode, encode
from scheduler_service.api.texts import refuse_nul
from scheduler_service.app.events import Publisher
from scheduler_service.domain.daylight import is_within_reach
from scheduler_service.domain.events import DEFAULT_SOURCE, Event
from service_kit.caller import current_caller
from service_kit.clock import Clock
from service_kit.errors import InvalidArgument
from service_kit.uuids import uuid7

Context: TypeAlias = Any

_URI_REFERENCE: Final = re.compile(r"[^\s\x00-\x1f\x7f]+")


class EventService(EventServiceServicer):
    """Decodes, calls, encodes."""

    def __init__(self, publisher: Publisher, clock: Clock) -> None:
        self._publisher = publisher
        self._clock = clock

    async def PublishEvent(
        self, request: pb.PublishEventRequest, context: Context
    ) -> pb.PublishEventResponse:
        """Documented in event_service.proto."""
        refuse_nul(request)
        caller = current_caller()
        event = _event(request.event, caller.namespace, self._clock.now())
        published = await self._publisher.publish(event, caller.actor)
        return pb.PublishEventResponse(
            event=encode.event(published.event),
            created=published.created,
            fires=[encode.fire(fire) for fire in published.fires],
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
        _refuse("event.time", "must lie in the years 1970 to 8999")
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
        json.loads(data.decode("utf-8"), parse_constant=_no_json)
    except (ValueError, RecursionError) as error:
        _refuse("event.data", f"must be a JSON document in UTF-8: {error}")


def _no_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _refuse(field: str, rule: str) -> NoReturn:
    raise InvalidArgument(f"{field}: {rule}", violations=[(field, rule)])
