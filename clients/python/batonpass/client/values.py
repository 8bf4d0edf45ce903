"""Python values as proto values: times, payloads, enum words.

Wrong ones raise InvalidArgument before anything is sent.
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from batonpass.client.errors import InvalidArgument, Violation


class EnumType(Protocol):
    """A generated enum."""

    def items(self) -> Sequence[tuple[str, Any]]: ...


def invalid(field: str, rule: str) -> InvalidArgument:
    """The error for one field."""
    return InvalidArgument(f"{field}: {rule}", violations=[Violation(field, rule)])


def duration(value: timedelta | None) -> Duration | None:
    """None stays None."""
    if value is None:
        return None
    result = Duration()
    result.FromTimedelta(value)
    return result


def timestamp(field: str, value: datetime | None) -> Timestamp | None:
    """None stays None. A time without zone is refused, since it could mean two instants."""
    if value is None:
        return None
    if value.tzinfo is None:
        raise invalid(field, "must have a time zone, such as datetime.now(UTC)")
    result = Timestamp()
    result.FromDatetime(value)
    return result


def payload(value: Any) -> bytes:
    """Bytes as they are, None as nothing, anything else as compact JSON in UTF-8."""
    if value is None:
        return b""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise invalid("payload", f"must be bytes or a value that JSON can hold ({error})") from None


def enum_number(field: str, kind: EnumType, prefix: str, value: int | str) -> Any:
    """A number as it is; a word such as `buffer-all` or `BUFFER_ALL` as the number of the value
    `PREFIX_BUFFER_ALL`.
    """
    if isinstance(value, int):
        return value
    numbers = {name.removeprefix(f"{prefix}_"): number for name, number in kind.items() if number}
    number = numbers.get(value.upper().replace("-", "_"))
    if number is None:
        raise invalid(field, f"must be one of {', '.join(sorted(numbers))}, not {value!r}")
    return number
