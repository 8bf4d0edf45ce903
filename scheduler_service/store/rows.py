"""Between rows and the domain's values."""

from datetime import timedelta
from enum import IntEnum
from typing import Any, Protocol, assert_never

from scheduler_service.domain.catch_up import CatchUp
from scheduler_service.domain.events import Event
from scheduler_service.domain.fire import Disposition, Fire, FireKind
from scheduler_service.domain.overlap import Overlap
from scheduler_service.domain.schedule import Definition, Schedule, Stats
from scheduler_service.domain.spec import (
    CronSpec,
    EventSpec,
    IntervalSpec,
    OneShotSpec,
    SecondsField,
    Spec,
    UnreadableSpec,
)


class Row(Protocol):
    """A row of SQLAlchemy or asyncpg, by column name."""

    def __getitem__(self, column: str, /) -> Any: ...

    def __contains__(self, column: object, /) -> bool: ...


_MS = timedelta(milliseconds=1)


class Kind(IntEnum):
    """`schedules.kind`."""

    CRON = 1
    INTERVAL = 2
    ONE_SHOT = 3
    EVENT = 4


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
        watermark=row["watermark"],
        next_fire=row["next_fire"],
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
        "watermark": schedule.watermark,
        "next_fire": schedule.next_fire,
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
    )


def _stats_of(row: Row) -> Stats:
    if "execution_count" not in row:
        return Stats(fire_count=row["fire_count"])
    return stats_of_sums(row)


def _definition_of(row: Row) -> Definition:
    """What this version cannot read becomes an UnreadableSpec, so that one row never hides the others."""
    try:
        spec, overlap, catch_up = _spec_of(row), Overlap(row["overlap"]), CatchUp(row["catch_up"])
    except (ValueError, TypeError):
        spec, overlap, catch_up = UnreadableSpec(row["kind"]), Overlap.DEFAULT, CatchUp.DEFAULT
    return Definition(
        spec=spec,
        time_zone=row["time_zone"],
        template=row["template"],
        has_payload=row["has_payload"],
        overlap=overlap,
        catch_up=catch_up,
        window=row["catchup_window_ms"] * _MS,
    )


def _spec_of(row: Row) -> Spec:
    """Raises ValueError or TypeError for a kind or value that is not known, or missing."""
    match Kind(row["kind"]):
        case Kind.CRON:
            return CronSpec(_present(row["expression"]), SecondsField(row["seconds_field"]))
        case Kind.INTERVAL:
            return IntervalSpec(row["every_ms"] * _MS, row["phase_ms"] * _MS)
        case Kind.ONE_SHOT:
            return OneShotSpec(_present(row["at"]))
        case Kind.EVENT:
            return EventSpec(_present(row["event_type"]))


def _present(value: Any) -> Any:
    if value is None:
        raise ValueError("missing")
    return value


def _columns_of_definition(definition: Definition) -> dict[str, Any]:
    """Nothing for what could not be read: it is left as it is."""
    if isinstance(definition.spec, UnreadableSpec):
        return {}
    return {
        **_columns_of_spec(definition.spec),
        "time_zone": definition.time_zone,
        "template": definition.template,
        "has_payload": definition.has_payload,
        "overlap": int(definition.overlap),
        "catch_up": int(definition.catch_up),
        "catchup_window_ms": definition.window // _MS,
    }


def _columns_of_spec(spec: Spec) -> dict[str, Any]:
    columns: dict[str, Any] = dict.fromkeys(
        ("expression", "seconds_field", "every_ms", "phase_ms", "at", "event_type")
    )
    match spec:
        case CronSpec():
            return columns | {
                "kind": Kind.CRON,
                "expression": spec.expression,
                "seconds_field": int(spec.seconds),
            }
        case IntervalSpec():
            return columns | {
                "kind": Kind.INTERVAL,
                "every_ms": spec.every // _MS,
                "phase_ms": spec.phase // _MS,
            }
        case OneShotSpec():
            return columns | {"kind": Kind.ONE_SHOT, "at": spec.at}
        case EventSpec():
            return columns | {"kind": Kind.EVENT, "event_type": spec.type}
        case UnreadableSpec():
            raise ValueError(f"kind {spec.kind} cannot be written")
        case _:
            assert_never(spec)
