"""Messages of the contract as mappings for files; the inverse of `reading`. Pure."""

import json
from base64 import b64encode
from datetime import UTC
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from batonpass.cli import format
from batonpass.cli.files import spelling


def content_of(message: Message) -> dict[str, Any]:
    """What a file says of a message: fields that have a value, without what only services say."""
    content = {}
    for key, field in spelling.fields(message.DESCRIPTOR).items():
        value = _value(message, field)
        if value not in (None, "", 0, False, [], {}) or _is_said(message, field):
            content[key] = value
    return content


def _is_said(message: Message, field: FieldDescriptor) -> bool:
    """Whether a value that looks like none is one, such as the payload `0` or the pattern `{}`."""
    if field.full_name in spelling.PAYLOADS | spelling.JSON_TEXTS:
        return bool(getattr(message, field.name))
    return field.has_presence and field.message_type is None and message.HasField(field.name)


def _value(message: Message, field: FieldDescriptor) -> Any:
    if field.message_type is not None and not field.is_repeated and not message.HasField(field.name):
        return None
    value = getattr(message, field.name)
    if spelling.is_map(field):
        return dict(sorted(value.items()))
    if field.is_repeated:
        return [_one(field, item) for item in value]
    return _one(field, value)


def _one(field: FieldDescriptor, value: Any) -> Any:
    if field.message_type is not None:
        return _part(value)
    if field.enum_type is not None:
        words = {number: word for word, number in spelling.enum_words(spelling.enum_of(field)).items()}
        return words.get(value)
    if field.full_name in spelling.PAYLOADS:
        return payload_content(value)
    if field.full_name in spelling.JSON_TEXTS:
        return _structured(value)
    return value


def _part(message: Any) -> Any:
    name = message.DESCRIPTOR.full_name
    if name == spelling.DURATION:
        return format.duration(message.ToTimedelta())
    if name == spelling.TIMESTAMP:
        return format.time(message.ToDatetime(UTC))
    content = content_of(message)
    main = spelling.MAIN.get(name)
    return content[main] if main is not None and list(content) == [main] else content


def payload_content(data: bytes) -> Any:
    """The JSON value of a payload, else `{text: ...}` or `{base64: ...}`; None when it is empty."""
    if not data:
        return None
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return {"base64": b64encode(data).decode()}
    try:
        value = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return {"text": text}
    is_marked = isinstance(value, dict) and list(value) in (["text"], ["base64"])
    return {"text": text} if is_marked or value is None else value


def _structured(text: str) -> Any:
    try:
        value = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, dict | list) else text


def _refuse(name: str) -> object:
    raise ValueError(f"{name} is not JSON")
