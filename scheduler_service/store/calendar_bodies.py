"""What callers decide about calendars as text: JSON with sorted keys, defaults left out."""

import json
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from scheduler_service.domain.calendar import (
    Blackout,
    CalendarDefinition,
    CalendarRules,
    CalendarWindow,
    Holidays,
    Period,
)

_SECOND: Final = timedelta(seconds=1)


def body_text(definition: CalendarDefinition) -> str:
    """Equal definitions are equal texts."""
    rules, blackout = definition.rules, definition.blackout
    document = {
        "description": definition.description,
        "zone": rules.time_zone,
        "dates": list(rules.dates),
        "windows": [[window.cron, window.duration / _SECOND] for window in rules.windows],
        "holidays": [[which.country, which.subdivision] for which in rules.holidays],
        "periods": [[each.start.isoformat(), each.until.isoformat(), each.name] for each in rules.periods],
        "blackout": None if blackout is None else _blackout_facts(blackout),
    }
    kept = {name: value for name, value in document.items() if value not in ("", [], None)}
    return json.dumps(kept, sort_keys=True, separators=(",", ":"))


@lru_cache(maxsize=1024)
def definition_of(text: str) -> CalendarDefinition:
    """A stored definition. Equal texts give the same object, so that nothing is worked out twice."""
    document: dict[str, Any] = json.loads(text)
    blackout = document.get("blackout")
    return CalendarDefinition(
        rules=CalendarRules(
            time_zone=document["zone"],
            dates=tuple(document.get("dates", ())),
            windows=tuple(
                CalendarWindow(cron, seconds * _SECOND) for cron, seconds in document.get("windows", ())
            ),
            holidays=tuple(Holidays(*names) for names in document.get("holidays", ())),
            periods=tuple(_period(*facts) for facts in document.get("periods", ())),
        ),
        description=document.get("description", ""),
        blackout=None if blackout is None else Blackout(*blackout),
    )


def _blackout_facts(blackout: Blackout) -> list[Any]:
    return [blackout.queue, blackout.handler, blackout.allow_priority]


def _period(start: str, until: str, name: str) -> Period:
    return Period(datetime.fromisoformat(start), datetime.fromisoformat(until), name)
