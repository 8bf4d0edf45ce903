"""A rule for all texts: PostgreSQL cannot store the character NUL."""

from collections.abc import Iterable

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from service_kit.errors import InvalidArgument

_RULE = "must not contain the character NUL"


def refuse_nul(message: Message) -> None:
    """Raises InvalidArgument naming the first field of text, at any depth, that has a NUL in it."""
    # Numbers may have such bytes as well, but most messages have none and need no walk.
    if b"\0" in message.SerializeToString():
        _walk(message, "")


def _walk(message: Message, path: str) -> None:
    for field, value in message.ListFields():
        name = f"{path}{field.name}"
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            _refuse_in(name, (*value.keys(), *value.values()))
            continue
        values = list(value) if field.is_repeated else [value]
        if field.type == FieldDescriptor.TYPE_STRING:
            _refuse_in(name, values)
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            for part in values:
                _walk(part, f"{name}.")


def _refuse_in(name: str, values: Iterable[object]) -> None:
    if any(isinstance(value, str) and "\0" in value for value in values):
        raise InvalidArgument(f"{name}: {_RULE}", violations=[(name, _RULE)])
