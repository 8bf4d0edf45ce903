"""`batonpass event`: things that happened, which schedules may listen to."""

from datetime import datetime

import click

from batonpass.cli import flags
from batonpass.cli.records import fire as records
from batonpass.cli.session import Session, pass_session
from batonpass.cli.verb import Noun
from batonpass.scheduler.v1 import event_service_pb2 as pb


@click.group(cls=Noun)
def event() -> None:
    """Tell the scheduler that something happened."""


@event.command(
    examples="""
    batonpass event trigger webhook.received
    batonpass event trigger webhook.received --id order-17 --data '{"order": 17}'
    batonpass event trigger disk.full --source host-7 --data @report.json
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
    """Publish an event: every enabled schedule that listens to NAME fires at once."""
    happened = pb.Event(type=name, id=event_id, data=data, source=source, subject=subject)
    if when is not None:
        happened.time.FromDatetime(when)
    reply = session.events.PublishEvent(pb.PublishEventRequest(event=happened))
    session.say(records.published(reply), *_sentences(reply))


def _sentences(reply: pb.PublishEventResponse) -> list[str]:
    count = len(reply.fires)
    known = "" if reply.created else " It had been published before, and fired then."
    if count == 0:
        return [
            f"Event {reply.event.id} is stored; no enabled schedule listens to {reply.event.type}.{known}"
        ]
    head = f"Event {reply.event.id} fired {count} schedule{'s' if count > 1 else ''}:{known}"
    return [head, *(f"  {fire.schedule_id}: task {fire.fire_id}" for fire in reply.fires)]
