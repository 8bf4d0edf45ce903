"""Tasks as tables."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from batonpass.cli.output import Record
from batonpass.cli.tables import Column, details, grid, key, millis, second, state
from batonpass.cli.views.schedule import urgency

if TYPE_CHECKING:
    from rich.console import RenderableType


def uses(record: Record) -> str:
    """`cpu 10 % memory 15 %`; empty when it declares nothing."""
    declared = (("cpu", "estimated_cpu_percent"), ("memory", "estimated_memory_percent"))
    return " ".join(f"{word} {record[name]:g} %" for word, name in declared if record[name])


_IDENTITY: Final = (key("TASK", "task_id"), state("STATE", "state"), Column("PRIORITY", urgency, fixed=True))

TASKS: Final = (
    *_IDENTITY,
    key("SCHEDULE", "schedule_id"),
    key("TRY", "attempt"),
    key("EXECUTOR", "executor"),
    second("ENQUEUED", "enqueued_at"),
    second("ENDED", "ended_at"),
    millis("TOOK", "duration_ms"),
    Column("WHY", lambda task: task["waiting_reason"] or task["error"]),
)

BLOCKED: Final = (*_IDENTITY, Column("USES", uses), key("WHY IT WAITS", "waiting_reason"))

ATTEMPTS: Final = (
    key("TRY", "attempt"),
    state("RESULT", "result"),
    key("CATEGORY", "category"),
    key("EXIT", "exit_code"),
    key("EXECUTOR", "executor"),
    second("STARTED", "started_at"),
    millis("TOOK", "duration_ms"),
    key("CPU %", "actual_cpu_percent"),
    key("MEMORY %", "actual_memory_percent"),
    key("ERROR", "error"),
)


def tasks(record: Record) -> "Iterable[RenderableType]":
    """A list of tasks."""
    yield grid(record["tasks"], TASKS, "No tasks.")


def task(record: Record) -> "Iterable[RenderableType]":
    """One task, field by field, then its attempts and the end of the last output."""
    yield details({name: value for name, value in record.items() if name != "attempts"})
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
