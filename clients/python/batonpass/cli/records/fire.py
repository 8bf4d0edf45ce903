"""Fires, and the events that cause them."""

from batonpass.cli.records.values import Record, document, instant, word
from batonpass.scheduler.v1.event_service_pb2 import Event, PublishEventResponse
from batonpass.scheduler.v1.schedule_pb2 import Disposition, Fire, FireKind


def record(fire: Fire) -> Record:
    """One firing of a schedule, or a run of instants with one disposition."""
    return {
        "fire_id": fire.fire_id or None,
        "schedule_id": fire.schedule_id,
        "kind": word(FireKind, fire.kind, "FIRE_KIND_"),
        "nominal_at": instant(fire, "nominal_time"),
        "local": fire.local_time or None,
        "offset": fire.utc_offset or None,
        "disposition": word(Disposition, fire.disposition, "DISPOSITION_"),
        "detail": fire.detail or None,
        "fired_at": instant(fire, "fire_time"),
        "settled_at": instant(fire, "settle_time"),
        "last_nominal_at": instant(fire, "last_nominal_time"),
        "count": fire.count or None,
        "event": fire.event or None,
        "generation": fire.generation,
        "actor": fire.actor or None,
    }


def event(happened: Event) -> Record:
    """Something that happened, as it was stored."""
    return {
        "id": happened.id,
        "source": happened.source,
        "type": happened.type,
        "subject": happened.subject or None,
        "time": instant(happened, "time"),
        "data": document(happened.data),
    }


def published(reply: PublishEventResponse) -> Record:
    """An event and what it caused."""
    return {
        "event": event(reply.event),
        "created": reply.created,
        "fires": [record(fire) for fire in reply.fires],
    }
