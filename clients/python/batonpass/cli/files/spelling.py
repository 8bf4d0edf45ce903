"""How messages of the contract are spelled in files, by their descriptors. Pure.

A mapping has the field names of the contract. Durations are `1h30m`, times RFC 3339, enum values their words
in small letters, payloads plain YAML. A message with one field that says most may be that field alone:
`cron: "0 2 * * *"`.
"""

from collections.abc import Mapping
from typing import Any, Final

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor

from batonpass.queue.v1.task_pb2 import TaskTemplate
from batonpass.scheduler.v1 import schedule_pb2
from batonpass.scheduler.v1.calendar_service_pb2 import Calendar, Holidays
from batonpass.scheduler.v1.template_service_pb2 import ScheduleTemplate

DURATION: Final = "google.protobuf.Duration"
TIMESTAMP: Final = "google.protobuf.Timestamp"

_SPELLED: Final = {f"{schedule_pb2.Schedule.DESCRIPTOR.full_name}.template": "task"}

MAIN: Final[Mapping[str, str]] = {
    kind.DESCRIPTOR.full_name: field
    for kind, field in (
        (schedule_pb2.CronSpec, "expression"),
        (schedule_pb2.IntervalSpec, "every"),
        (schedule_pb2.OneShotSpec, "time"),
        (schedule_pb2.EventSpec, "type"),
        (Holidays, "country"),
    )
}
"""Message -> the field that may stand for the whole."""

OUTPUT_ONLY: Final[Mapping[str, frozenset[str]]] = {
    schedule_pb2.Schedule.DESCRIPTOR.full_name: frozenset(
        (
            "note",
            "note_actor",
            "generation",
            "create_time",
            "update_time",
            "next_fire_time",
            "stats",
            "invalid_reason",
        )
    ),
    Calendar.DESCRIPTOR.full_name: frozenset(("version", "create_time", "update_time")),
    ScheduleTemplate.DESCRIPTOR.full_name: frozenset(("version", "create_time", "actor", "schedules")),
}
"""Message -> what services say and files do not."""

JSON_TEXTS: Final = frozenset(
    f"{schedule_pb2.EventSpec.DESCRIPTOR.full_name}.{name}" for name in ("pattern", "payload_template")
)
"""Text fields that hold JSON: a mapping or a list will do as well."""

PAYLOADS: Final = frozenset({f"{TaskTemplate.DESCRIPTOR.full_name}.payload"})
"""Fields of bytes that hold JSON by custom."""


def spelled(field: FieldDescriptor) -> str:
    """The key of a field in a file."""
    return _SPELLED.get(field.full_name, field.name)


def enum_of(field: FieldDescriptor) -> EnumDescriptor:
    """The enum of a field that has one."""
    assert field.enum_type is not None
    return field.enum_type


def fields(message: Any) -> dict[str, FieldDescriptor]:
    """Key in a file -> field, in the order of the contract; without what only services say."""
    hidden = OUTPUT_ONLY.get(message.full_name, frozenset())
    return {spelled(field): field for field in message.fields if field.name not in hidden}


def is_map(field: FieldDescriptor) -> bool:
    """Whether it is a mapping of texts."""
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def enum_words(kind: EnumDescriptor) -> dict[str, int]:
    """`buffer-all` -> its number; without the value that means nothing."""
    prefix = kind.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return {
        value.name.removeprefix(prefix).lower().replace("_", "-"): value.number
        for value in kind.values
        if value.number
    }
