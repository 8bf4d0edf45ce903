"""Events as the JSON documents that patterns, expressions and templates see."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from scheduler_service.domain import strict_json
from scheduler_service.domain.events import Event

DEEPEST: Final = 64
"""Levels of arrays and objects in the data of an event."""


def read_json(text: bytes) -> Any:
    """What a JSON text says. Raises ValueError when it is none, or is nested too deep."""
    value = strict_json.read(text.decode("utf-8"))
    if text.count(b"[") + text.count(b"{") > DEEPEST and _depth(value) > DEEPEST:
        raise ValueError(f"is nested deeper than {DEEPEST} levels")
    return value


def document(event: Event) -> dict[str, Any]:
    """`id`, `source`, `type`, `subject`, `time` (RFC 3339, UTC, microseconds) and, if it has any, `data`."""
    made: dict[str, Any] = {
        "id": event.event_id,
        "source": event.source,
        "type": event.type,
        "subject": event.subject,
        "time": event.time.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }
    if event.data:
        made["data"] = json.loads(event.data)
    return made


def values(value: Any) -> Iterator[Any]:
    """It and everything within it. Not recursive."""
    pending = [value]
    while pending:
        current = pending.pop()
        yield current
        if isinstance(current, Mapping):
            pending.extend(current.values())
        elif isinstance(current, list):
            pending.extend(current)


def _depth(value: Any) -> int:
    """Not recursive."""
    depth, level = 0, [value]
    while level := [each for each in level if isinstance(each, (dict, list))]:
        depth += 1
        level = [inner for each in level for inner in (each.values() if isinstance(each, dict) else each)]
    return depth
