"""Mappings of files as messages of the contract; see `spelling`. Every mistake names its path. Pure."""

import json
from base64 import b64decode
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from batonpass.cli import parse
from batonpass.cli.files import spelling
from batonpass.cli.files.mistakes import Mistake

M = TypeVar("M", bound=Message)

_INTEGERS = {
    FieldDescriptor.CPPTYPE_INT32,
    FieldDescriptor.CPPTYPE_INT64,
    FieldDescriptor.CPPTYPE_UINT32,
    FieldDescriptor.CPPTYPE_UINT64,
}


def message_of(kind: type[M], content: object) -> M:
    """The message that a mapping describes. Raises Mistake."""
    made = kind()
    _fill(made, content, "")
    return made


def _fill(message: Message, content: object, path: str) -> None:
    mapping = _mapping(message.DESCRIPTOR, content, path)
    known = spelling.fields(message.DESCRIPTOR)
    for key in mapping:
        if key not in known:
            raise Mistake(_below(path, key), f"there is no such field; there are {', '.join(known)}")
    _check_oneofs(message.DESCRIPTOR, mapping, path)
    for key, field in known.items():
        if mapping.get(key) is not None:
            _put(message, field, mapping[key], _below(path, key))


def _mapping(kind: Any, content: object, path: str) -> Mapping[str, Any]:
    if isinstance(content, Mapping):
        return content
    main = spelling.MAIN.get(kind.full_name)
    if main is None or isinstance(content, list):
        raise Mistake(path, f"must be a mapping of {', '.join(spelling.fields(kind))}")
    return {main: content}


def _check_oneofs(kind: Any, mapping: Mapping[str, Any], path: str) -> None:
    for group in kind.oneofs:
        names = [spelling.spelled(field) for field in group.fields]
        given = [name for name in names if mapping.get(name) is not None]
        if len(names) > 1 and len(given) != 1:
            raise Mistake(path, f"must have exactly one of {', '.join(names)}")


def _put(message: Message, field: FieldDescriptor, value: object, path: str) -> None:
    if spelling.is_map(field):
        getattr(message, field.name).update(_texts(value, path))
    elif field.is_repeated:
        _put_list(message, field, value, path)
    elif field.message_type is not None:
        part = getattr(message, field.name)
        part.SetInParent()
        _put_message(part, value, path)
    else:
        _assign(message, field, _scalar(field, value, path), path)


def _put_list(message: Message, field: FieldDescriptor, value: object, path: str) -> None:
    if not isinstance(value, list):
        raise Mistake(path, "must be a list")
    target = getattr(message, field.name)
    for place, item in enumerate(value):
        here = f"{path}[{place}]"
        if field.message_type is not None:
            _put_message(target.add(), item, here)
        else:
            target.append(_scalar(field, item, here))


def _put_message(part: Any, value: object, path: str) -> None:
    match part.DESCRIPTOR.full_name:
        case spelling.DURATION:
            part.FromTimedelta(
                _parsed(parse.duration, _worded(value, path, "a duration such as 1h30m"), path)
            )
        case spelling.TIMESTAMP:
            part.FromDatetime(
                _parsed(_instant, _worded(value, path, "a time such as 2026-03-01T02:00:00Z"), path)
            )
        case _:
            _fill(part, value, path)


def _instant(text: str) -> datetime:
    if text.strip().startswith("+") or text.strip().lower() == "now":
        raise ValueError(f"{text!r} is no time: a file needs RFC 3339, such as 2026-03-01T02:00:00Z")
    return parse.time(text, datetime.now(UTC))


def _scalar(field: FieldDescriptor, value: object, path: str) -> Any:
    if field.full_name in spelling.PAYLOADS:
        return payload_of(value, path)
    if field.enum_type is not None:
        return _number_of(field, value, path)
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return _is(value, bool, path, "must be true or false")
    if field.cpp_type in _INTEGERS:
        return _is(value, int, path, "must be a whole number")
    if field.cpp_type == FieldDescriptor.CPPTYPE_DOUBLE:
        return _is(value, int | float, path, "must be a number")
    if field.full_name in spelling.JSON_TEXTS and isinstance(value, dict | list):
        return _dumped(value, path)
    return _worded(value, path, "text")


def _assign(message: Message, field: FieldDescriptor, value: object, path: str) -> None:
    try:
        setattr(message, field.name, value)
    except ValueError as error:
        raise Mistake(path, str(error)) from None


def _is(value: object, kind: Any, path: str, rule: str) -> Any:
    if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
        return value
    raise Mistake(path, f"{rule}, not {value!r}")


def _number_of(field: FieldDescriptor, value: object, path: str) -> int:
    words = spelling.enum_words(spelling.enum_of(field))
    number = words.get(value.lower().replace("_", "-")) if isinstance(value, str) else None
    if number is None:
        raise Mistake(path, f"must be one of {', '.join(words)}, not {value!r}")
    return number


def _worded(value: object, path: str, what: str) -> str:
    if isinstance(value, str):
        return value
    hint = "" if isinstance(value, dict | list) else ": put it in quotes"
    raise Mistake(path, f"must be {what}, not {value!r}{hint if what == 'text' else ''}")


def _texts(value: object, path: str) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise Mistake(path, "must be a mapping of names to texts")
    return {str(name): _worded(text, _below(path, str(name)), "text") for name, text in value.items()}


def _parsed(read: Any, text: str, path: str) -> Any:
    try:
        return read(text)
    except ValueError as error:
        raise Mistake(path, str(error)) from None


def payload_of(value: object, path: str) -> bytes:
    """The input of a handler: JSON of what is written; `{text: ...}` and `{base64: ...}` as they are."""
    match value:
        case {"text": str(text), **rest} if not rest:
            return text.encode()
        case {"base64": str(text), **rest} if not rest:
            data: bytes = _parsed(lambda coded: b64decode(coded, validate=True), text, path)
            return data
        case _:
            return _dumped(value, path).encode()


def _dumped(value: object, path: str) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (ValueError, TypeError) as error:
        raise Mistake(path, f"is nothing that JSON can hold ({error})") from None


def _below(path: str, key: object) -> str:
    return f"{path}.{key}" if path else str(key)
