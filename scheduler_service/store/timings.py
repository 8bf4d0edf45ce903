"""Timings as text: JSON with sorted keys, defaults left out; equal timings are equal texts."""

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from scheduler_service.domain.spec import (
    CalendarIntervalSpec,
    CalendarUnit,
    CronSpec,
    DayMatch,
    EventBatch,
    EventSpec,
    IntervalSpec,
    OneShotSpec,
    RecurrenceSpec,
    SecondsField,
    Spec,
    UnreadableSpec,
)
from scheduler_service.domain.timing import Closed, Fold, Gap, Timing

_MS: Final = timedelta(milliseconds=1)


def timing_text(timing: Timing) -> str:
    """Raises ValueError when a specification of it could not be read."""
    return json.dumps(_document(timing), sort_keys=True, separators=(",", ":"))


@lru_cache(maxsize=16384)
def timing_of(text: str) -> Timing:
    """A stored timing. What this version cannot read becomes an UnreadableSpec."""
    try:
        return _timing(json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return Timing(specs=(UnreadableSpec(f"{type(error).__name__}: {error}"),))


def _document(timing: Timing) -> dict[str, Any]:
    return _without_defaults(
        {
            "specs": [_spec_document(spec) for spec in timing.specs],
            "zone": timing.time_zone,
            "exclusions": [_spec_document(spec) for spec in timing.exclusions],
            "start": _instant_text(timing.start),
            "end": _instant_text(timing.end),
            "gap": int(timing.gap),
            "fold": int(timing.fold),
            "include": list(timing.include_calendars),
            "exclude": list(timing.exclude_calendars),
            "closed": int(timing.closed),
            "jitter": timing.jitter // _MS,
            "spread": timing.spread // _MS,
        }
    )


def _timing(document: dict[str, Any]) -> Timing:
    return Timing(
        specs=_specs(document["specs"]),
        time_zone=document["zone"],
        exclusions=_specs(document.get("exclusions", ())),
        start=_instant(document.get("start")),
        end=_instant(document.get("end")),
        gap=Gap(document.get("gap", 0)),
        fold=Fold(document.get("fold", 0)),
        include_calendars=tuple(document.get("include", ())),
        exclude_calendars=tuple(document.get("exclude", ())),
        closed=Closed(document.get("closed", 0)),
        jitter=document.get("jitter", 0) * _MS,
        spread=document.get("spread", 0) * _MS,
    )


def _spec_document(spec: Spec) -> dict[str, Any]:
    if isinstance(spec, UnreadableSpec):
        raise ValueError(f"{spec.reason} cannot be written")
    kind, facts = _WRITERS[type(spec)]
    return {"kind": kind, **_without_defaults(facts(spec))}


def _specs(documents: Iterable[dict[str, Any]]) -> tuple[Spec, ...]:
    return tuple(_READERS[document["kind"]](document) for document in documents)


def _event_facts(spec: EventSpec) -> dict[str, Any]:
    batch = spec.batch
    return {
        "type": spec.type,
        "pattern": spec.pattern,
        "cel": spec.cel,
        "debounce": _milliseconds(spec.debounce),
        "throttle": _milliseconds(spec.throttle),
        "batch": None if batch is None else [batch.max_events, batch.max_wait // _MS],
        "payload": spec.payload_template,
    }


def _event(document: dict[str, Any]) -> EventSpec:
    batch = document.get("batch")
    return EventSpec(
        type=document["type"],
        pattern=document.get("pattern", ""),
        cel=document.get("cel", ""),
        debounce=_duration(document.get("debounce")),
        throttle=_duration(document.get("throttle")),
        batch=None if batch is None else EventBatch(batch[0], batch[1] * _MS),
        payload_template=document.get("payload", ""),
    )


_WRITERS: Final[dict[type, tuple[str, Callable[[Any], dict[str, Any]]]]] = {
    CronSpec: (
        "cron",
        lambda spec: {
            "expression": spec.expression,
            "seconds": int(spec.seconds),
            "days": int(spec.day_match),
        },
    ),
    IntervalSpec: ("interval", lambda spec: {"every": spec.every // _MS, "phase": spec.phase // _MS}),
    OneShotSpec: ("at", lambda spec: {"at": _instant_text(spec.at)}),
    CalendarIntervalSpec: (
        "calendar_interval",
        lambda spec: {"every": spec.every, "unit": int(spec.unit), "start": spec.start.isoformat()},
    ),
    RecurrenceSpec: ("recurrence", lambda spec: {"rule": spec.rule, "start": spec.start.isoformat()}),
    EventSpec: ("event", _event_facts),
}

_READERS: Final[dict[str, Callable[[dict[str, Any]], Spec]]] = {
    "cron": lambda document: CronSpec(
        document["expression"],
        SecondsField(document.get("seconds", 0)),
        DayMatch(document.get("days", 0)),
    ),
    "interval": lambda document: IntervalSpec(document["every"] * _MS, document.get("phase", 0) * _MS),
    "at": lambda document: OneShotSpec(datetime.fromisoformat(document["at"])),
    "calendar_interval": lambda document: CalendarIntervalSpec(
        document["every"], CalendarUnit(document["unit"]), datetime.fromisoformat(document["start"])
    ),
    "recurrence": lambda document: RecurrenceSpec(
        document["rule"], datetime.fromisoformat(document["start"])
    ),
    "event": _event,
}


def _without_defaults(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value not in (None, "", 0, [])}


def _instant_text(instant: datetime | None) -> str | None:
    return None if instant is None else instant.astimezone(UTC).isoformat()


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _milliseconds(duration: timedelta | None) -> int | None:
    return None if duration is None else duration // _MS


def _duration(milliseconds: int | None) -> timedelta | None:
    return None if milliseconds is None else milliseconds * _MS
