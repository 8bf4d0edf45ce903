"""Events as the JSON documents that patterns, expressions and templates see."""

import json
from typing import Any, Final, NoReturn

from scheduler_service.domain.events import Event

DEEPEST: Final = 64
"""Levels of arrays and objects in the data of an event."""


def read_json(text: bytes) -> Any:
    """What a JSON text says. Raises ValueError when it is none, or is nested too deep."""
    try:
        value = json.loads(text.decode("utf-8"), parse_constant=_no_json)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    if text.count(b"[") + text.count(b"{") > DEEPEST and _depth(value) > DEEPEST:
        raise ValueError(_TOO_DEEP)
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


_TOO_DEEP: Final = f"is nested deeper than {DEEPEST} levels"


def _depth(value: Any) -> int:
    """Not recursive."""
    depth, level = 0, [value]
    while level := [each for each in level if isinstance(each, (dict, list))]:
        depth += 1
        level = [inner for each in level for inner in (each.values() if isinstance(each, dict) else each)]
    return depth


def _no_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
