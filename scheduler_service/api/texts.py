"""A rule for all texts: PostgreSQL cannot store the character NUL."""

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from service_kit.errors import InvalidArgument

_RULE = "must not contain the character NUL"


def refuse_nul(message: Message, path: str = "") -> None:
    """Raises InvalidArgument naming the first string field, at any depth, that has a NUL in it."""
    for field, value in message.ListFields():
        name = f"{path}{field.name}"
        values = list(value) if field.is_repeated else [value]
        if field.type == FieldDescriptor.TYPE_STRING:
            if any("\0" in text for text in values):
                raise InvalidArgument(f"{name}: {_RULE}", violations=[(name, _RULE)])
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            for part in values:
                refuse_nul(part, f"{name}.")
