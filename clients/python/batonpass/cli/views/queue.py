"""The queue, its limits and its executors as tables."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from batonpass.cli import format
from batonpass.cli.output import Record
from batonpass.cli.program import as_called
from batonpass.cli.tables import Column, details, grid, key, milliseconds, minute, second

if TYPE_CHECKING:
    from rich.console import RenderableType


def _of(use: str, limit: str) -> Column:
    """Declared use against its limit."""
    return Column(_HEADINGS[use], lambda one: f"{one['use'][use]:g} / {one['limits'][limit]:g}")


def _runs(one: Record) -> str:
    """What it can be given: its registered handlers, `http`, `shell`."""
    kinds = (("http", one["allows_http"]), ("shell", one["allows_shell"]))
    return ", ".join([*one["handlers"], *(word for word, allowed in kinds if allowed)])


def _load(one: Record) -> str | None:
    load = one["load"]
    return f"{load['cpu_percent']:.0f} / {load['memory_percent']:.0f}" if load else None


def _host(one: Record) -> str:
    cpus = f"{one['cpu_count']} CPUs" if one["cpu_count"] else ""
    memory = format.size(one["memory_bytes"]) if one["memory_bytes"] else ""
    return " ".join(word for word in (cpus, memory) if word)


def _may_start(one: Record) -> str | None:
    """The priorities that are not held."""
    least = one["allow_priority"]
    return "10" if least == 10 else f"{least} to 10" if least else None


_HEADINGS: Final = {"tasks": "TASKS", "cpu_percent": "CPU %", "memory_percent": "MEMORY %"}

EXECUTORS: Final = (
    key("EXECUTOR", "name"),
    key("STATE", "state"),
    _of("tasks", "max_tasks"),
    _of("cpu_percent", "max_cpu_percent"),
    _of("memory_percent", "max_memory_percent"),
    Column("HOST CPU / MEMORY %", _load, drop=2),
    Column("RUNS", _runs, drop=1, cut=10),
    key("LABELS", "labels", drop=4, cut=10),
    Column("HOST", _host, drop=3),
    second("SEEN", "seen_at"),
)

LIMITS: Final = (
    key("EXECUTOR", "executor"),
    key("TASKS", "max_tasks"),
    key("CPU %", "max_cpu_percent"),
    key("MEMORY %", "max_memory_percent"),
)

STARVING: Final = (
    key("TASK", "task_id"),
    key("QUEUE", "queue", drop=2, cut=10),
    key("PRIORITY", "priority"),
    key("IN FORCE", "effective_priority"),
    Column("WAITED", lambda task: wait(task["waited_seconds"])),
    key("BOOSTED NOW", "boosted_now", drop=1),
)


HOLDS: Final = (
    key("SOURCE", "source"),
    minute("FROM", "from_at"),
    minute("UNTIL", "until_at"),
    Column("QUEUE", lambda one: one["queue"] or "any", cut=10),
    Column("HANDLER", lambda one: one["handler"] or "any", cut=10),
    Column("MAY START", _may_start, drop=1),
    key("REASON", "reason", drop=2, cut=10),
)


def wait(seconds: float | None) -> str | None:
    """A wait in words."""
    return None if seconds is None else milliseconds(round(1000 * seconds))


def executors(record: Record) -> "Iterable[RenderableType]":
    """Who runs the work."""
    yield grid(record["executors"], EXECUTORS, as_called("No executors yet. batonpass agent starts one."))


def status(record: Record) -> "Iterable[RenderableType]":
    """Counts, waits, then executors."""
    yield details(
        {
            "queued": record["queued"],
            "executing": record["executing"],
            "completed": record["completed"],
            "failed": record["failed"],
            "states": {name: count for name, count in record["counts"].items() if count},
            "oldest wait": wait(record["oldest_wait_seconds"]),
            "held by blackouts": record["held"] or None,
            "starving": f"{record['starving']} (waiting longer than {record['ageing_threshold']})",
        }
    )
    yield ""
    yield from executors(record)


def limits(record: Record) -> "Iterable[RenderableType]":
    """The defaults in the first line, then executors that differ."""
    defaults = {"executor": "(default)", **record["defaults"]}
    yield grid([defaults, *record["executors"]], LIMITS, "")


def starvation(record: Record) -> "Iterable[RenderableType]":
    """Who is raised."""
    nobody = f"No task has waited longer than {record['threshold']}."
    yield grid(record["tasks"], STARVING, nobody)


def holds(record: Record) -> "Iterable[RenderableType]":
    """What is held now or later."""
    yield grid(
        record["holds"], HOLDS, "Nothing is held. Blackouts show here up to 48 hours before they begin."
    )
