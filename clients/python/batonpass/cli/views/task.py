"""Tasks as tables."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from batonpass.cli.output import Record
from batonpass.cli.tables import Column, details, grid, key, millis, one_line, second, text
from batonpass.cli.views.schedule import urgency
from batonpass.cli.wording import plain

if TYPE_CHECKING:
    from rich.console import RenderableType


def uses(record: Record) -> str:
    """`cpu 10 % memory 15 %`; empty when it declares nothing."""
    declared = (("cpu", "estimated_cpu_percent"), ("memory", "estimated_memory_percent"))
    return " ".join(f"{word} {record[name]:g} %" for word, name in declared if record[name])


def why(record: Record) -> str | None:
    """Why it waits, and what would help."""
    return plain(record["waiting_reason"]) if record["waiting_reason"] else None


_IDENTITY: Final = (key("TASK", "task_id"), key("STATE", "state"), Column("PRIORITY", urgency, drop=3))

TASKS: Final = (
    *_IDENTITY,
    key("SCHEDULE", "schedule_id", drop=6, cut=10),
    key("TRY", "attempt", drop=5),
    key("EXECUTOR", "executor", drop=4, cut=10),
    second("ENQUEUED", "enqueued_at", drop=2),
    second("ENDED", "ended_at", drop=1),
    millis("TOOK", "duration_ms", drop=1),
    Column("WHY", lambda task: why(task) or task["error"], free=True),
)

BLOCKED: Final = (*_IDENTITY, Column("USES", uses, drop=1), Column("WHY IT WAITS", why, free=True))

ATTEMPTS: Final = (
    key("TRY", "attempt"),
    key("RESULT", "result"),
    key("CATEGORY", "category", drop=2),
    key("EXIT", "exit_code"),
    key("EXECUTOR", "executor", drop=1, cut=10),
    second("STARTED", "started_at"),
    millis("TOOK", "duration_ms"),
    key("CPU %", "actual_cpu_percent", drop=3),
    key("MEMORY %", "actual_memory_percent", drop=4),
    text("ERROR", "error"),
)


def tasks(record: Record) -> "Iterable[RenderableType]":
    """A list of tasks."""
    yield grid(record["tasks"], TASKS, "No tasks.")


def task(record: Record) -> "Iterable[RenderableType]":
    """One task, field by field, then its attempts and the end of the last output."""
    shown = {name: value for name, value in record.items() if name != "attempts"}
    yield details({**shown, "waiting_reason": why(record), "payload": one_line(record.get("payload"))})
    attempts = record.get("attempts") or []
    if attempts:
        yield ""
        yield grid(attempts, ATTEMPTS, "")
    if attempts and attempts[-1]["output_tail"]:
        yield "\nEnd of the output:"
        yield attempts[-1]["output_tail"].rstrip("\n")


def peek(record: Record) -> "Iterable[RenderableType]":
    """What would start next, then what waits before it."""
    start = record["next"]
    if start is None:
        yield "Nothing can start now."
    else:
        where = f" on {record['executor']}" if record["executor"] else ""
        yield f"Next: {start['task_id']} (priority {urgency(start)}){where}."
    if record["blocked"]:
        yield "Before it in order, but held back:" if start else "Held back:"
        yield grid(record["blocked"], BLOCKED, "")
