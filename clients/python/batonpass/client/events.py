"""Calls about events."""

from datetime import datetime
from typing import Any, Final

from batonpass.client.call import Call, Rpc, same
from batonpass.client.ids import uuid7
from batonpass.client.values import payload, timestamp
from batonpass.scheduler.v1 import event_service_pb2 as pb

_PUBLISH: Final = Rpc(
    "scheduler", "/batonpass.scheduler.v1.EventService/PublishEvent", pb.PublishEventResponse
)


def publish_event(
    event_type: str,
    *,
    data: Any = None,
    event_id: str | None = None,
    source: str = "",
    subject: str = "",
    time: datetime | None = None,
) -> Call[pb.PublishEventResponse]:
    """Publishes an event; returns it with one fire per schedule that listens to its type.

    `data` is anything JSON can hold, or JSON in bytes. Publishing is idempotent on (`source`, `event_id`);
    the id is a new UUIDv7 by default.
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
