"""`batonpass event`: things that happened, which schedules may listen to."""

from datetime import datetime

import click

from batonpass.cli import flags
from batonpass.cli.failure import Unfinished
from batonpass.cli.output import Record
from batonpass.cli.records import fire as records
from batonpass.cli.session import Session, pass_session
from batonpass.cli.verb import Noun
from batonpass.cli.verdict import settled
from batonpass.scheduler.v1 import event_service_pb2 as pb
from batonpass.scheduler.v1.schedule_pb2 import DISPOSITION_REJECTED


@click.group(cls=Noun)
def event() -> None:
    """Tell the scheduler that something happened."""


@event.command(
    examples="""
    batonpass event trigger webhook.received
    batonpass event trigger webhook.received --id order-17 --data '{"order": 17}'
    batonpass event trigger disk.full --source host-7 --data '{"free_percent": 3}'
    """
)
@click.argument("name", metavar="NAME")
@click.option("--id", "event_id", default="", metavar="ID", help="Identity within the source; it fires once.")
@click.option(
    "--data", type=flags.DOCUMENT, default=b"", help="JSON handed to the handlers, or @FILE with it."
)
@click.option("--source", default="", metavar="URI", help="Where it happened.  [default: batonpass]")
@click.option("--subject", default="", metavar="TEXT", help="What it is about, within the source.")
@click.option("--time", "when", type=flags.TIME, help="When it happened.  [default: now]")
@pass_session
def trigger(
    session: Session, name: str, event_id: str, data: bytes, source: str, subject: str, when: datetime | None
) -> None:
    """Publish an event: every enabled schedule that listens to NAME fires at once.

    Exit code 1 when the queue has refused one of the tasks.
    """
    happened = pb.Event(type=name, id=event_id, data=data, source=source, subject=subject)
    if when is not None:
        happened.time.FromDatetime(when)
    reply = session.events.PublishEvent(pb.PublishEventRequest(event=happened))
    fires = settled(session, reply.fires)
    del reply.fires[:]
    reply.fires.extend(fires)
    session.say(records.published(reply), *_sentences(reply))
    if data and not reply.created and data != reply.event.data:
        session.note(f"The data is ignored: event {reply.event.id} keeps what it was published with.")
    if any(fire.disposition == DISPOSITION_REJECTED for fire in fires):
        raise Unfinished


def _sentences(reply: pb.PublishEventResponse) -> list[str]:
    return [_head(reply), *(_line(records.record(fire)) for fire in reply.fires)]


def _head(reply: pb.PublishEventResponse) -> str:
    count = len(reply.fires)
    schedules = f"{count} schedule{'' if count == 1 else 's'}"
    colon = ":" if count else "."
    if not reply.created:
        return f"Event {reply.event.id} was published before; it fired {schedules} then{colon}"
    if not count:
        return f"Event {reply.event.id} is stored; no enabled schedule listens to {reply.event.type}."
    return f"Event {reply.event.id} fired {schedules}:"


def _line(fire: Record) -> str:
    """The schedule, and what became of its fire."""
    match fire["disposition"]:
        case "FIRED":
            became = f"task {fire['fire_id']}"
        case "PENDING":
            became = f"task {fire['fire_id']}, which the queue has not taken yet"
        case other:
            became = " ".join(word for word in (other, fire["detail"] and f"- {fire['detail']}") if word)
    return f"  {fire['schedule_id']}: {became}"
