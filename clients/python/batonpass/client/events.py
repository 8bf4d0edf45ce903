"""Calls about events."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from batonpass.client.call import Call, Listed, Pages, Rpc, same
from batonpass.client.ids import uuid7
from batonpass.client.values import payload, timestamp
from batonpass.scheduler.v1 import event_service_pb2 as pb
from batonpass.scheduler.v1.schedule_pb2 import ScheduleSpec

_SERVICE: Final = "/batonpass.scheduler.v1.EventService"
_PUBLISH: Final = Rpc("scheduler", f"{_SERVICE}/PublishEvent", pb.PublishEventResponse)
_GET: Final = Rpc("scheduler", f"{_SERVICE}/GetEvent", pb.GetEventResponse)
_LIST: Final = Rpc("scheduler", f"{_SERVICE}/ListEvents", pb.ListEventsResponse)
_EXPLAIN: Final = Rpc("scheduler", f"{_SERVICE}/ExplainEvent", pb.ExplainEventResponse)
_REPLAY: Final = Rpc("scheduler", f"{_SERVICE}/ReplayEvents", pb.ReplayEventsResponse)


def publish_event(
    event_type: str,
    *,
    data: Any = None,
    event_id: str | None = None,
    source: str = "",
    subject: str = "",
    time: datetime | None = None,
) -> Call[pb.PublishEventResponse]:
    """Publishes an event; returns it with one fire per schedule that it triggers.

    `data` is anything JSON can hold, or JSON in bytes. Publishing is idempotent on (`source`, `event_id`);
    the id is a new UUIDv7 by default. Raises AlreadyExists when that was another event.
    """
    event = pb.Event(
        id=event_id or uuid7(),
        source=source,
        type=event_type,
        subject=subject,
        time=timestamp("time", time),
        data=payload(data),
    )
    return Call(_PUBLISH, pb.PublishEventRequest(event=event), same)


def get_event(event_id: str, *, source: str = "") -> Call[pb.GetEventResponse]:
    """Returns an event with when it came in and its fires. Raises NotFound."""
    return Call(_GET, pb.GetEventRequest(source=source, id=event_id), same)


def list_events(
    *,
    event_type: str = "",
    source: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    page_size: int = 0,
) -> Pages[pb.Event]:
    """Yields events, latest first: those of a type (`*` stands for any characters) and source that came in
    from `since` to just before `until`.
    """

    def page(token: str) -> Call[Listed[pb.Event]]:
        request = pb.ListEventsRequest(
            type=event_type,
            source=source,
            from_time=timestamp("since", since),
            until_time=timestamp("until", until),
            page_size=page_size,
            page_token=token,
        )
        return Call(_LIST, request, lambda response: Listed(response.events, response.next_page_token))

    return Pages(page)


def explain_event(
    event: pb.Event, *, schedule_id: str = "", draft: ScheduleSpec | None = None
) -> Call[Sequence[pb.TriggerExplanation]]:
    """Says which triggers an event meets, and which clause of the others it does not.

    An event with `source` and `id` only is taken from the store. `draft` (see `on_event`) is a trigger that
    is not stored; the default is every schedule that events trigger, the first 100 by id. Raises NotFound;
    InvalidArgument.
    """
    request = pb.ExplainEventRequest(
        event=event, schedule_id=schedule_id, draft=None if draft is None else draft.event
    )
    return Call(_EXPLAIN, request, lambda response: response.triggers)


def replay_events(
    since: datetime,
    *,
    until: datetime | None = None,
    schedule_id: str = "",
    draft: ScheduleSpec | None = None,
    event_type: str = "",
    source: str = "",
    dry_run: bool = False,
    request_id: str | None = None,
) -> Call[pb.ReplayEventsResponse]:
    """Sends the events that came in from `since` to just before `until` to a schedule once more.

    Oldest first. With `dry_run` it only counts; a `draft` (see `on_event`), which is not stored, needs that.
    Repeating it with the same `request_id` fires nothing twice. Raises NotFound; InvalidArgument, also for
    more than 100,000 events.
    """
    request = pb.ReplayEventsRequest(
        from_time=timestamp("since", since),
        until_time=timestamp("until", until),
        type=event_type,
        source=source,
        schedule_id=schedule_id,
        draft=None if draft is None else draft.event,
        dry_run=dry_run,
        request_id=request_id or uuid7(),
    )
    return Call(_REPLAY, request, same)
