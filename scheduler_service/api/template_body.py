"""Bodies of schedule templates: schedules in whose texts places stand for values."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from batonpass.queue.v1 import task_pb2
from batonpass.scheduler.v1 import schedule_pb2 as pb
from batonpass.scheduler.v1 import schedule_service_pb2 as service_pb
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from scheduler_service.api import decode
from scheduler_service.domain.errors import InvalidSchedule
from scheduler_service.domain.rules import check_definition
from scheduler_service.domain.schedule import Definition, TemplateSource
from scheduler_service.domain.schedule_template import Parameter, ScheduleTemplate, samples
from scheduler_service.domain.template_errors import InvalidTemplate
from scheduler_service.domain.template_text import UnknownParameter, expand
from service_kit.errors import InvalidArgument
from service_kit.validation import validate

OWN: Final = ("schedule_id", "labels", "disabled", "source")
"""What a schedule says itself when it is made of a schedule template."""

_JSON: Final = frozenset(
    (
        f"{pb.EventSpec.DESCRIPTOR.full_name}.pattern",
        f"{pb.EventSpec.DESCRIPTOR.full_name}.payload_template",
        f"{task_pb2.TaskTemplate.DESCRIPTOR.full_name}.payload",
    )
)
_OUTPUT_ONLY: Final = (
    "note",
    "note_actor",
    "generation",
    "create_time",
    "update_time",
    "next_fire_time",
    "stats",
    "invalid_reason",
)


def body_of(asked: pb.Schedule) -> bytes:
    """A body as it is stored. Raises InvalidTemplate for what a schedule says itself."""
    body = pb.Schedule()
    body.CopyFrom(asked)
    for name in _OUTPUT_ONLY:
        body.ClearField(name)
    for field, _ in body.ListFields():
        if field.name in OWN:
            raise InvalidTemplate(f"body.{field.name}", "must be empty: each schedule has its own")
    return body.SerializeToString(deterministic=True)


def check_body(stored: bytes, parameters: tuple[Parameter, ...]) -> None:
    """Raises InvalidTemplate when no valid schedule can be made of it, as far as there are samples."""
    values = samples(parameters)
    known = values if values is not None else {each.name: "" for each in parameters}
    try:
        made = expanded(pb.Schedule.FromString(stored), known)
    except InvalidSchedule as error:
        raise InvalidTemplate(f"body.{error.field}", error.rule) from None
    if values is None:
        return
    made.schedule_id = "example"
    try:
        validate(service_pb.CreateScheduleRequest(schedule=made))
        check_definition(decode.definition(made), made.schedule_id)
    except InvalidArgument as error:
        field, rule = error.violations[0] if error.violations else ("", error.message)
        raise InvalidTemplate(f"body.{field.removeprefix('schedule.')}".rstrip("."), rule) from None


def definition_of(template: ScheduleTemplate, schedule_id: str, source: TemplateSource) -> Definition:
    """What a schedule of that id is when it is made of a version with these parameters; without labels.

    Raises InvalidSchedule, whose path is within `source`.
    """
    values = template.values(dict(source.parameters))
    made = expanded(pb.Schedule.FromString(template.text.body), values)
    made.schedule_id = schedule_id
    made.template.name = made.template.name or schedule_id
    pinned = replace(source, template_id=template.text.template_id, version=template.version)
    try:
        validate(service_pb.CreateScheduleRequest(schedule=made))
        definition = replace(decode.definition(made), source=pinned)
        check_definition(definition, schedule_id)
    except InvalidArgument as error:
        raise _misfit(template, error) from None
    return definition


def _misfit(template: ScheduleTemplate, error: InvalidArgument) -> InvalidSchedule:
    said = "; ".join(f"{field.removeprefix('schedule.')}: {rule}" for field, rule in error.violations)
    version = f"version {template.version} of schedule template {template.text.template_id!r}"
    return InvalidSchedule("source", f"makes no valid schedule of {version}: {said or error.message}")


def source_of(asked: pb.Schedule) -> TemplateSource:
    """What a request says about its source. Raises InvalidSchedule for fields that come from there."""
    for field, _ in asked.ListFields():
        if field.name not in (*OWN, *_OUTPUT_ONLY):
            raise InvalidSchedule(field.name, "must be empty: `source` says it")
    return decode.source(asked.source)


def expanded(body: pb.Schedule, values: Mapping[str, str]) -> pb.Schedule:
    """A copy with all places filled in. Raises InvalidSchedule naming the text."""
    made = pb.Schedule()
    made.CopyFrom(body)
    _expand(made, values, "")
    return made


def _expand(message: Message, values: Mapping[str, str], path: str) -> None:
    for field, value in message.ListFields():
        here = f"{path}{field.name}"
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            if field.message_type is not None and field.message_type.GetOptions().map_entry:
                continue
            for place, part in enumerate(value if field.is_repeated else [value]):
                _expand(part, values, f"{here}[{place}]." if field.is_repeated else f"{here}.")
        elif field.type == FieldDescriptor.TYPE_STRING:
            _expand_texts(message, field, values, here)
        elif field.full_name in _JSON:
            setattr(message, field.name, _payload(value, values, here))


def _expand_texts(message: Message, field: FieldDescriptor, values: Mapping[str, str], path: str) -> None:
    quote = _in_json if field.full_name in _JSON else None
    if not field.is_repeated:
        setattr(message, field.name, _text(getattr(message, field.name), values, path, quote))
        return
    texts = getattr(message, field.name)
    texts[:] = [_text(text, values, f"{path}[{place}]", quote) for place, text in enumerate(texts)]


def _payload(payload: bytes, values: Mapping[str, str], path: str) -> bytes:
    """Bytes that are no text stay as they are."""
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return payload
    return _text(text, values, path, _in_json).encode()


def _text(text: str, values: Mapping[str, str], path: str, quote: Callable[[str], str] | None) -> str:
    try:
        return expand(text, values) if quote is None else expand(text, values, quote)
    except UnknownParameter as error:
        raise InvalidSchedule(path, str(error)) from None


def _in_json(value: str) -> str:
    """As it stands within a text of JSON; a number stays one where it stands alone."""
    return json.dumps(value, ensure_ascii=False)[1:-1]
