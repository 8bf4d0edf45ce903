"""Events, and what triggers make of them, as tables."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from batonpass.cli.output import Record
from batonpass.cli.program import as_called
from batonpass.cli.tables import Column, details, grid, key, one_line, text, to_second

if TYPE_CHECKING:
    from rich.console import RenderableType

EVENTS: Final = (
    Column("TIME", lambda event: to_second(event["time"])),
    key("TYPE", "type"),
    key("SOURCE", "source", drop=1),
    key("ID", "id"),
    key("SUBJECT", "subject", drop=3),
    Column("DATA", lambda event: one_line(event["data"]), drop=2, cut=40),
)

TRIGGERS: Final = (
    Column("SCHEDULE", lambda trigger: trigger["schedule_id"] or "(draft)"),
    Column("MATCHES", lambda trigger: "yes" if trigger["matches"] else "no"),
    text("REASON", "reason"),
)

CLAUSES: Final = (
    Column("MET", lambda clause: "yes" if clause["met"] else "no"),
    key("PATH", "path"),
    key("CLAUSE", "clause", cut=60),
    key("FOUND", "found", cut=60),
)

FIRES: Final = (
    key("SCHEDULE", "schedule_id"),
    key("DISPOSITION", "disposition"),
    key("TASK", "fire_id"),
    text("DETAIL", "detail"),
)


def events(record: Record) -> "Iterable[RenderableType]":
    """A list of events."""
    yield grid(record["events"], EVENTS, as_called("No events. batonpass event publish makes one."))


def event(record: Record) -> "Iterable[RenderableType]":
    """One event and what became of it."""
    happened = record["event"]
    yield details(
        {
            "event": happened["id"],
            "source": happened["source"],
            "type": happened["type"],
            "subject": happened["subject"],
            "time": happened["time"],
            "received": record["received_at"],
            "data": one_line(happened["data"]),
        }
    )
    yield grid(record["fires"], FIRES, "It fired no schedule.")


def explanation(record: Record) -> "Iterable[RenderableType]":
    """What each trigger makes of an event; the clauses when there is one trigger."""
    triggers = record["triggers"]
    yield grid(triggers, TRIGGERS, "No schedule is triggered by events.")
    if len(triggers) == 1 and triggers[0]["clauses"]:
        yield grid(triggers[0]["clauses"], CLAUSES, "")
    if len(triggers) == 1 and triggers[0]["matches"]:
        yield f"Payload: {one_line(triggers[0]['payload']) or 'none'}"
