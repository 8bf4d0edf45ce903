"""What a schedule and a task have in common."""

from batonpass.cli.records.values import Record, document, optional, span
from batonpass.queue.v1.task_pb2 import TaskTemplate

_LOWEST = {"critical": 9, "important": 7, "normal": 5, "low": 1}


def band(priority: int | None) -> str | None:
    """The name of the range that a priority, 1 to 10, lies in."""
    if priority is None:
        return None
    return next((name for name, lowest in _LOWEST.items() if priority >= lowest), None)


def priority(template: TaskTemplate) -> int | None:
    """The declared priority; None when it is not set."""
    value: int | None = optional(template, "priority")
    return value


def settings(template: TaskTemplate) -> Record:
    """How it runs."""
    return {
        "circuit_breaker": template.circuit_breaker or None,
        "retry_policy": template.retry_policy or None,
        "timeout": span(template, "timeout"),
        "queue": template.queue or None,
    }


def payload(template: TaskTemplate) -> Record:
    """The handler's input."""
    return {"payload": document(template.payload)}
