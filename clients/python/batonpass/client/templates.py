"""What to run and how, from keyword arguments."""

from datetime import timedelta
from typing import Any, TypedDict

from batonpass.client.values import duration, payload
from batonpass.queue.v1.task_pb2 import Resources, TaskTemplate


class Template(TypedDict, total=False):
    """The keyword arguments that tasks and schedules have in common; what is left out takes the service's
    default.

    `priority` is 1 to 10, 10 = most urgent. `cpu_percent` and `memory_percent` declare the largest use, in
    percent of the executor's host. `retry_policy` is `standard`, `none` or `aggressive`. `timeout` bounds
    one attempt. `payload` is bytes, or anything JSON can hold; at most 256 KiB. `name` is for people,
    `queue` a named queue.
    """

    priority: int
    cpu_percent: float
    memory_percent: float
    retry_policy: str
    circuit_breaker: str
    timeout: timedelta
    payload: Any
    name: str
    queue: str


def task_template(handler: str, options: Template) -> TaskTemplate:
    """The template of a handler with these options. Values are checked by the service, payloads here."""
    return TaskTemplate(
        handler=handler,
        priority=options.get("priority"),
        resources=_resources(options),
        retry_policy=options.get("retry_policy", ""),
        circuit_breaker=options.get("circuit_breaker", ""),
        timeout=duration(options.get("timeout")),
        payload=payload(options.get("payload")),
        name=options.get("name", ""),
        queue=options.get("queue", ""),
    )


def _resources(options: Template) -> Resources | None:
    cpu, memory = options.get("cpu_percent"), options.get("memory_percent")
    if cpu is None and memory is None:
        return None
    return Resources(cpu_percent=cpu or 0, memory_percent=memory or 0)
