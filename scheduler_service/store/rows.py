"""Between rows and the domain's values."""

import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Protocol

from scheduler_service.domain.catch_up import CatchUp
from scheduler_service.domain.events import Event
from scheduler_service.domain.fire import Disposition, Fire, FireKind
from scheduler_service.domain.overlap import Overlap
from scheduler_service.domain.schedule import Definition, Schedule, Stats, TemplateSource
from scheduler_service.domain.spec import UnreadableSpec
from scheduler_service.domain.timing import Timing
from scheduler_service.store.timings import timing_of, timing_text


class Row(Protocol):
    """A row of SQLAlchemy or asyncpg, by column name."""

    def __getitem__(self, column: str, /) -> Any: ...

    def __contains__(self, column: object, /) -> bool: ...


_MS = timedelta(milliseconds=1)


def schedule_of(row: Row) -> Schedule:
    """A row of `schedules`; statistics as far as the row has them."""
    return Schedule(
        namespace=row["namespace"],
        schedule_id=row["schedule_id"],
        incarnation=row["incarnation"],
        definition=_definition_of(row),
        enabled=row["enabled"],
        generation=row["generation"],
        note=row["note"],
        note_actor=row["note_actor"],
        timed_from=row["timed_from"],
        watermark=row["watermark"],
        next_fire=row["next_fire"],
        due_at=row["due_at"],
        invalid_reason=row["invalid_reason"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        stats=_stats_of(row),
    )


def columns_of(schedule: Schedule) -> dict[str, Any]:
    """Values of `schedules`, counters apart."""
    definition = schedule.definition
    return {
        "namespace": schedule.namespace,
        "schedule_id": schedule.schedule_id,
        "incarnation": schedule.incarnation,
        "generation": schedule.generation,
        **_columns_of_definition(definition),
        "enabled": schedule.enabled,
        "note": schedule.note,
        "note_actor": schedule.note_actor,
        "timed_from": schedule.timed_from,
        "watermark": schedule.watermark,
        "next_fire": schedule.next_fire,
        "due_at": schedule.due_at,
        "invalid_reason": schedule.invalid_reason,
        "created_at": schedule.created_at,
        "updated_at": schedule.updated_at,
    }


def fire_of(row: Row) -> Fire:
    """A row of `fires`."""
    return Fire(
        schedule_id=row["schedule_id"],
        kind=FireKind(row["kind"]),
        fire_id=row["fire_id"],
        nominal=row["nominal_at"],
        last_nominal=row["last_nominal_at"],
        count=row["count"],
        local_time=row["local_time"],
        utc_offset=row["utc_offset"],
        fired_at=row["fired_at"],
        disposition=Disposition(row["disposition"]),
        detail=row["detail"],
        settled_at=row["settled_at"],
        event=row["event"],
        generation=row["generation"],
        actor=row["actor"],
        backfill_id=row["backfill_id"],
    )


def event_of(row: Row) -> Event:
    """A row of `events`."""
    return Event(
        namespace=row["namespace"],
        source=row["source"],
        event_id=row["event_id"],
        type=row["type"],
        subject=row["subject"],
        time=row["time"],
        data=row["data"],
        depth=row["depth"],
    )


def stats_of_sums(row: Row) -> Stats:
    """Sums over schedules, null where there are none."""
    return Stats(
        execution_count=int(row["execution_count"] or 0),
        failure_count=int(row["failure_count"] or 0),
        success_count=int(row["success_count"] or 0),
        success_duration=int(row["success_ms"] or 0) * _MS,
        last_execute_at=row["last_execute_at"],
        fire_count=int(row["fire_count"] or 0),
        run_count=int(row["run_count"] or 0),
        failures_in_row=int(row["failures_in_row"] or 0),
    )


def _stats_of(row: Row) -> Stats:
    if "execution_count" not in row:
        return Stats(fire_count=row["fire_count"])
    return stats_of_sums(row)


def _definition_of(row: Row) -> Definition:
    """What this version cannot read becomes an UnreadableSpec, so that one row never hides the others."""
    timing = timing_of(row["timing"])
    try:
        overlap, catch_up = Overlap(row["overlap"]), CatchUp(row["catch_up"])
    except ValueError as error:
        overlap, catch_up = Overlap.DEFAULT, CatchUp.DEFAULT
        timing = timing if _is_unreadable(timing) else Timing(specs=(UnreadableSpec(str(error)),))
    return Definition(
        timing=timing,
        template=row["template"],
        has_payload=row["has_payload"],
        overlap=overlap,
        catch_up=catch_up,
        window=row["catchup_window_ms"] * _MS,
        max_runs=row["max_runs"],
        pause_on_failure=row["pause_on_failure"],
        labels=tuple(_pair(label) for label in row["labels"]),
        source=_source_of(row),
    )


def _source_of(row: Row) -> TemplateSource | None:
    if row["source_id"] is None:
        return None
    return TemplateSource(
        template_id=row["source_id"],
        version=row["source_version"],
        parameters=tuple(sorted(json.loads(row["source_parameters"]).items())),
    )


def _is_unreadable(timing: Timing) -> bool:
    return any(isinstance(spec, UnreadableSpec) for spec in timing.specs)


def _columns_of_definition(definition: Definition) -> dict[str, Any]:
    """Nothing for what could not be read: it is left as it is."""
    timing, source = definition.timing, definition.source
    if _is_unreadable(timing):
        return {}
    return {
        "timing": timing_text(timing),
        "calendars": sorted(timing.calendars),
        "event_type": None if timing.event is None else timing.event.type,
        "template": definition.template,
        "has_payload": definition.has_payload,
        "overlap": int(definition.overlap),
        "catch_up": int(definition.catch_up),
        "catchup_window_ms": definition.window // _MS,
        "max_runs": definition.max_runs,
        "pause_on_failure": definition.pause_on_failure,
        "labels": labels_text(definition.labels),
        "source_id": None if source is None else source.template_id,
        "source_version": None if source is None else source.version,
        "source_parameters": None if source is None else json.dumps(dict(source.parameters)),
    }


def labels_text(labels: Iterable[tuple[str, str]]) -> list[str]:
    """`name=value`, sorted."""
    return [f"{name}={value}" for name, value in sorted(labels)]


def _pair(label: str) -> tuple[str, str]:
    name, _, value = label.partition("=")
    return name, value
