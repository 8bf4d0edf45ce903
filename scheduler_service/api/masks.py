"""Field masks of UpdateSchedule: which paths there are, and what they do."""

from collections.abc import Iterable
from typing import Final

from batonpass.queue.v1 import task_pb2
from batonpass.scheduler.v1 import schedule_pb2 as pb
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from service_kit.errors import InvalidArgument

CHANGEABLE: Final = (
    "specs",
    "time_zone",
    "exclusions",
    "start_time",
    "end_time",
    "gap_policy",
    "fold_policy",
    "include_calendars",
    "exclude_calendars",
    "calendar_disposition",
    "jitter",
    "spread",
    "template",
    "overlap_policy",
    "catch_up_policy",
    "catchup_window",
    "max_runs",
    "pause_on_failure",
    "labels",
    "source",
)
_FIELD: Final = "update_mask.paths"


def check_paths(paths: Iterable[str]) -> None:
    """Raises InvalidArgument with one violation for each path that cannot be changed, or for none at all."""
    paths = list(paths)
    if not paths:
        raise InvalidArgument(
            f"{_FIELD}: name at least one of {', '.join(CHANGEABLE)}",
            violations=[(_FIELD, f"must name at least one of {', '.join(CHANGEABLE)}")],
        )
    broken = [
        (f"{_FIELD}[{place}]", rule) for place, path in enumerate(paths) if (rule := _broken_rule(path))
    ]
    if broken:
        raise InvalidArgument("; ".join(rule for _, rule in broken), violations=broken)


def merge(source: pb.Schedule, target: pb.Schedule, paths: Iterable[str]) -> None:
    """Gives each named field of `target` the value, or the absence, that it has in `source`."""
    for path in paths:
        _merge(source, target, path)


def _merge(source: Message, target: Message, path: str) -> None:
    name, _, rest = path.partition(".")
    if rest:
        _merge(getattr(source, name), getattr(target, name), rest)
        return
    target.ClearField(name)
    field = source.DESCRIPTOR.fields_by_name[name]
    value = getattr(source, name)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        getattr(target, name).update(value)
    elif field.is_repeated:
        getattr(target, name).extend(value)
    elif field.has_presence and not source.HasField(name):
        return
    elif field.type == FieldDescriptor.TYPE_MESSAGE:
        getattr(target, name).CopyFrom(value)
    else:
        setattr(target, name, value)


def _broken_rule(path: str) -> str | None:
    name, _, rest = path.partition(".")
    if name not in pb.Schedule.DESCRIPTOR.fields_by_name:
        return f"{path!r} is no field of a schedule"
    if name not in CHANGEABLE:
        return f"{path!r} cannot be changed by an update; what can is {', '.join(CHANGEABLE)}"
    if rest and not (name == "template" and _exists(task_pb2.TaskTemplate.DESCRIPTOR, rest)):
        return f"{path!r} is no field of a schedule that can be changed alone"
    return None


def _exists(message: Descriptor, path: str) -> bool:
    name, _, rest = path.partition(".")
    field = message.fields_by_name.get(name)
    if field is None or not rest:
        return field is not None
    return field.message_type is not None and _exists(field.message_type, rest)
