"""Single values of the contract as JSON knows them."""

import json
from datetime import UTC, timedelta
from typing import Any, Protocol

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from batonpass.cli import format

Record = dict[str, Any]


class EnumType(Protocol):
    """A generated enum."""

    def Name(self, number: Any) -> str: ...


def instant(owner: Message, field: str) -> str | None:
    """The timestamp `field` of `owner` in ISO 8601; None when it is not set."""
    if not owner.HasField(field):
        return None
    value: Timestamp = getattr(owner, field)
    return format.time(value.ToDatetime(UTC))


def span(owner: Message, field: str) -> str | None:
    """The duration `field` of `owner` as an option takes it (`10m`); None when it is not set."""
    length = _length(owner, field)
    return None if length is None else format.duration(length)


def milliseconds(owner: Message, field: str) -> int | None:
    """The duration `field` of `owner` in whole milliseconds; None when it is not set."""
    length = _length(owner, field)
    return None if length is None else round(length / timedelta(milliseconds=1))


def seconds(owner: Message, field: str) -> float | None:
    """The duration `field` of `owner` in seconds, to the millisecond; None when it is not set."""
    length = _length(owner, field)
    return None if length is None else round(length.total_seconds(), 3)


def _length(owner: Message, field: str) -> timedelta | None:
    if not owner.HasField(field):
        return None
    value: Duration = getattr(owner, field)
    return value.ToTimedelta()


def optional(owner: Message, field: str) -> Any:
    """The value of `field`; None when it is not set."""
    return getattr(owner, field) if owner.HasField(field) else None


def word(kind: EnumType, number: int, prefix: str) -> str | None:
    """The name of an enum value without `prefix`; None for UNSPECIFIED, the number of one not known here."""
    if number == 0:
        return None
    try:
        return kind.Name(number).removeprefix(prefix)
    except ValueError:
        return str(number)


def document(data: bytes) -> Any:
    """A payload as the JSON value it holds, else as text, else as `{"base64": ...}`; None when empty."""
    if not data:
        return None
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return {"base64": _base64(data)}
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _base64(data: bytes) -> str:
    from base64 import b64encode

    return b64encode(data).decode()
