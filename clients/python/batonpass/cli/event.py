"""`batonpass event`: things that happened, which schedules may listen to."""

import copy
import shlex
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import click

from batonpass.cli import flags, trigger_options
from batonpass.cli.failure import Unfinished
from batonpass.cli.output import Record
from batonpass.cli.pages import listed
from batonpass.cli.program import program
from batonpass.cli.records import event as event_records
from batonpass.cli.records import fire as records
from batonpass.cli.session import Session, pass_session
from batonpass.cli.verb import Noun, Verb
from batonpass.cli.verdict import settled
from batonpass.cli.views import event as views
from batonpass.scheduler.v1 import event_service_pb2 as pb
from batonpass.scheduler.v1.schedule_pb2 import DISPOSITION_REJECTED, EventSpec


@click.group(cls=Noun)
def event() -> None:
    """Tell the scheduler that something happened, and see what became of it."""


SOURCE = click.option("--source", default="", metavar="URI", help="Where it happened.  [default: batonpass]")
TYPE = click.option(
    "--type", default="", metavar="NAME", help="Only those of this type; `*` stands for any characters."
)
DATA = click.option("--data", type=flags.DOCUMENT, default=b"", help="Its data: JSON, or @FILE with it.")


@event.command(
    examples="""
    batonpass event publish webhook.received
    batonpass event publish webhook.received --id order-17 --data '{"order": 17}'
    batonpass event publish disk.full --source host-7 --data '{"free_percent": 3}'
    """
)
@click.argument("name", metavar="NAME")
@click.option("--id", "event_id", default="", metavar="ID", help="Identity within the source; it fires once.")
@DATA
@SOURCE
@click.option("--subject", default="", metavar="TEXT", help="What it is about, within the source.")
@click.option("--time", "when", type=flags.TIME, help="When it happened.  [default: now]")
@pass_session
def publish(
    session: Session, name: str, event_id: str, data: bytes, source: str, subject: str, when: datetime | None
) -> None:
    """Publish an event of type NAME: every enabled schedule that it triggers fires.

    Publishing the same id again adds nothing; with other data it is refused. Exit code 1 when the queue has
    refused one of the tasks.
    """
    happened = pb.Event(type=name, id=event_id, data=data, source=source, subject=subject)
    if when is not None:
        happened.time.FromDatetime(when)
    reply = session.events.PublishEvent(pb.PublishEventRequest(event=happened))
    fires = settled(session, reply.fires)
    del reply.fires[:]
    reply.fires.extend(fires)
    session.say(records.published(reply), *_sentences(reply))
    if any(fire.disposition == DISPOSITION_REJECTED for fire in fires):
        raise Unfinished


def _as_trigger() -> click.Command:
    """The same by its other name."""
    made = copy.copy(publish)
    made.name = "trigger"
    if isinstance(made, Verb):
        made.examples = made.examples.replace("event publish", "event trigger")
    return made


event.add_command(_as_trigger())


@event.command(examples="batonpass event get order-17\nbatonpass event get order-17 --source /shop -o json")
@click.argument("event_id", metavar="ID")
@SOURCE
@pass_session
def get(session: Session, event_id: str, source: str) -> None:
    """Show an event and what became of it."""
    found = session.events.GetEvent(pb.GetEventRequest(source=source, id=event_id))
    session.show(event_records.found(found), views.event)


@event.command(
    name="list",
    examples="""
    batonpass event list
    batonpass event list --type 'order.*' --source /shop --since 2026-03-01T00:00:00Z
    """,
)
@TYPE
@click.option("--source", default="", metavar="URI", help="Only those of this source.")
@click.option("--since", type=flags.TIME, help="Only those that came in at this time or later.")
@click.option("--until", type=flags.TIME, help="Only those that came in before.")
@flags.limit("events")
@pass_session
def list_(
    session: Session, type: str, source: str, since: datetime | None, until: datetime | None, limit: int
) -> None:
    """List events, latest first. They are kept for 30 days."""
    request = pb.ListEventsRequest(type=type, source=source)
    _span(request, since, until)

    def fetch(size: int, token: str) -> pb.ListEventsResponse:
        request.page_size, request.page_token = size, token
        return session.events.ListEvents(request)

    found = listed(fetch, lambda page: map(records.event, page.events), limit)
    session.show({"events": found.tell(session)}, views.events)


@event.command(
    examples="""
    batonpass event explain --id order-17 --source /shop
    batonpass event explain --id order-17 --source /shop --schedule ship-orders
    batonpass event explain --type order.created --data '{"amount": 50}' --schedule ship-orders
    batonpass event explain --type order.paid --data '{"n": 5}' --listen 'order.*' --cel 'event.data.n > 9'
    """
)
@click.option("--id", "event_id", default="", metavar="ID", help="A stored event; or, with --type, its id.")
@click.option("--type", default="", metavar="NAME", help="Type of an event that need not be stored.")
@DATA
@SOURCE
@click.option("--subject", default="", metavar="TEXT", help="What it is about, within the source.")
@click.option("--time", "when", type=flags.TIME, help="When it happened.  [default: now]")
@click.option(
    "--schedule",
    "schedule_id",
    default="",
    metavar="ID",
    help="Only this schedule.  [default: the first 100 that events trigger]",
)
@trigger_options.draft("--listen")
@pass_session
def explain(
    session: Session,
    /,
    event_id: str,
    type: str,
    data: bytes,
    source: str,
    subject: str,
    when: datetime | None,
    schedule_id: str,
    **given: Any,
) -> None:
    """Say what triggers make of an event, and which clause of a pattern it does not meet.

    Nothing is stored and nothing fires.
    """
    if not event_id and not type:
        raise click.UsageError("Say which event: --id of a stored one, or --type of one that need not be.")
    happened = pb.Event(id=event_id, source=source, type=type, subject=subject, data=data)
    if when is not None:
        happened.time.FromDatetime(when)
    request = pb.ExplainEventRequest(event=happened, schedule_id=schedule_id, draft=_draft(given))
    reply = session.events.ExplainEvent(request)
    session.show(event_records.explained(reply), views.explanation)


@event.command(
    examples="""
    batonpass event replay ship-orders --since 2026-03-01T08:00:00Z --until 2026-03-01T09:00:00Z --dry-run
    batonpass event replay ship-orders --since 2026-03-01T08:00:00Z --request-id repair-1
    batonpass event replay --since 2026-03-01T00:00:00Z --listen 'order.*' --cel 'event.data.n > 9' --dry-run
    """
)
@click.argument("schedule_id", metavar="[ID]", required=False, default="")
@click.option("--since", type=flags.TIME, required=True, help="First time at which they came in.")
@click.option("--until", type=flags.TIME, help="End, itself not included.  [default: now]")
@TYPE
@click.option("--source", default="", metavar="URI", help="Only those of this source.")
@click.option("--dry-run", is_flag=True, help="Only say what would fire.")
@click.option("--request-id", default="", metavar="TEXT", help="Repeating it with this fires nothing twice.")
@trigger_options.draft("--listen")
@pass_session
def replay(
    session: Session,
    /,
    schedule_id: str,
    since: datetime,
    until: datetime | None,
    type: str,
    source: str,
    dry_run: bool,
    request_id: str,
    **given: Any,
) -> None:
    """Send stored events to schedule ID once more, oldest first.

    Every event fires by itself, whatever the schedule gathers or throttles. With --listen it only says what
    such a trigger would do, which needs --dry-run.
    """
    draft = _draft(given)
    if bool(schedule_id) == (draft is not None):
        raise click.UsageError(
            "Say where to: the ID of a schedule, or --listen for a trigger that is not stored."
        )
    request = pb.ReplayEventsRequest(
        type=type,
        source=source,
        schedule_id=schedule_id,
        draft=draft,
        dry_run=dry_run,
        request_id="" if dry_run else request_id or str(uuid.uuid4()),
    )
    _span(request, since, until)
    reply = session.events.ReplayEvents(request)
    would = "would fire" if dry_run else "fired"
    session.say(
        event_records.replayed(reply),
        f"Of {reply.events} event{'' if reply.events == 1 else 's'}, {reply.matched} met the trigger;"
        f" {reply.fired} {would}.",
        *(f"  {each.type} {each.id}" for each in reply.first_events),
    )


def _draft(given: Mapping[str, Any]) -> EventSpec | None:
    if given["listen"] is None:
        trigger_options.check_companions(given, "--listen")
        return None
    return trigger_options.event_spec(given["listen"], given)


def _span(
    request: pb.ListEventsRequest | pb.ReplayEventsRequest, since: datetime | None, until: datetime | None
) -> None:
    if since is not None:
        request.from_time.FromDatetime(since)
    if until is not None:
        request.until_time.FromDatetime(until)


def _sentences(reply: pb.PublishEventResponse) -> list[str]:
    return [_head(reply), *(_line(records.record(fire)) for fire in reply.fires)]


def _head(reply: pb.PublishEventResponse) -> str:
    count = len(reply.fires)
    schedules = f"{count} schedule{'' if count == 1 else 's'}"
    colon = ":" if count else "."
    if not reply.created:
        return f"Event {reply.event.id} was published before; it triggered {schedules} then{colon}"
    if not count:
        return f"Event {reply.event.id} is stored; it triggers no schedule. {_explain(reply.event)}"
    return f"Event {reply.event.id} triggered {schedules}:"


def _explain(stored: pb.Event) -> str:
    source = "" if stored.source in ("", "batonpass") else f" --source {shlex.quote(stored.source)}"
    return f"{program()} event explain --id {shlex.quote(stored.id)}{source} says why."


def _line(fire: Record) -> str:
    """The schedule, and what became of its fire."""
    match fire["disposition"]:
        case "FIRED":
            became = f"task {fire['fire_id']}"
        case "PENDING" if fire["detail"]:
            became = f"{fire['detail']}"
        case "PENDING":
            became = f"task {fire['fire_id']}, which the queue has not taken yet"
        case other:
            became = " ".join(word for word in (other, fire["detail"] and f"- {fire['detail']}") if word)
    return f"  {fire['schedule_id']}: {became}"
