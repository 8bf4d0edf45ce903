"""Events, and what triggers make of them."""

from batonpass.cli.records.fire import event, record
from batonpass.cli.records.values import Record, document, instant
from batonpass.scheduler.v1 import event_service_pb2 as pb


def found(reply: pb.GetEventResponse) -> Record:
    """A stored event and what became of it."""
    return {
        "event": event(reply.event),
        "received_at": instant(reply, "receive_time"),
        "fires": [record(fire) for fire in reply.fires],
    }


def explained(reply: pb.ExplainEventResponse) -> Record:
    """What each trigger makes of an event."""
    return {"triggers": [_trigger(trigger) for trigger in reply.triggers]}


def replayed(reply: pb.ReplayEventsResponse) -> Record:
    """What a replay did, or would do."""
    return {
        "events": reply.events,
        "matched": reply.matched,
        "fired": reply.fired,
        "first_events": [event(each) for each in reply.first_events],
    }


def _trigger(trigger: pb.TriggerExplanation) -> Record:
    return {
        "schedule_id": trigger.schedule_id or None,
        "matches": trigger.matches,
        "reason": trigger.reason,
        "clauses": [
            {"path": each.path, "clause": each.clause, "met": each.met, "found": each.found}
            for each in trigger.clauses
        ],
        "payload": document(trigger.payload),
    }
