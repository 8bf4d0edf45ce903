"""Whatever a message says is written and read again as the same: the whole contract, by its descriptors."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from batonpass.cli.files import spelling, yaml_text
from batonpass.cli.files.document import KINDS
from batonpass.cli.files.reading import message_of
from batonpass.cli.files.writing import content_of
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

LIKE_NUMBERS = st.from_regex(r"[-+0-9eE._:]{1,6}|(?i:no|yes|null|true|~)", fullmatch=True)
TEXTS = LIKE_NUMBERS | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12
)
SPANS = st.integers(1, 10**10).map(lambda count: timedelta(milliseconds=count))
INSTANTS = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


def compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def scalar(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    if field.full_name in spelling.PAYLOADS:
        return JSON.map(compact).map(str.encode)
    if field.full_name in spelling.JSON_TEXTS:
        return JSON.map(compact)
    if field.enum_type is not None:
        return st.sampled_from([value.number for value in field.enum_type.values if value.number])
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_BOOL:
            return st.just(True)
        case FieldDescriptor.CPPTYPE_STRING:
            return TEXTS
        case FieldDescriptor.CPPTYPE_DOUBLE:
            return st.floats(0.01, 100)
        case _:
            return st.integers(1, 2**31 - 1)


def fill(draw: Any, message: Message) -> None:
    """Gives a message at least one field, and exactly one of each choice."""
    fields = list(spelling.fields(message.DESCRIPTOR).values())
    choices = [group for group in message.DESCRIPTOR.oneofs if len(group.fields) > 1]
    for group in choices:
        fields = [field for field in fields if field not in group.fields]
        put(draw, message, draw(st.sampled_from(list(group.fields))))
    most = min(5, len(fields))
    count = draw(st.integers(0 if choices else 1, most)) if most else 0
    for place in draw(st.permutations(range(len(fields))))[:count]:
        put(draw, message, fields[place])


def put(draw: Any, message: Any, field: FieldDescriptor) -> None:
    if spelling.is_map(field):
        getattr(message, field.name).update(draw(st.dictionaries(TEXTS, TEXTS, min_size=1, max_size=3)))
    elif field.message_type is None and field.is_repeated:
        getattr(message, field.name).extend(draw(st.lists(scalar(field), min_size=1, max_size=3)))
    elif field.message_type is None:
        setattr(message, field.name, draw(scalar(field)))
    elif field.is_repeated:
        for _ in range(draw(st.integers(1, 2))):
            part(draw, getattr(message, field.name).add())
    else:
        part(draw, getattr(message, field.name))


def part(draw: Any, message: Any) -> None:
    match message.DESCRIPTOR.full_name:
        case spelling.DURATION:
            message.FromTimedelta(draw(SPANS))
        case spelling.TIMESTAMP:
            message.FromDatetime(draw(INSTANTS).replace(tzinfo=UTC))
        case _:
            fill(draw, message)


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_every_message_comes_back_as_it_was(kind: str, data: st.DataObject) -> None:
    message = KINDS[kind][0]()
    fill(data.draw, message)
    (content,) = yaml_text.documents(yaml_text.dumped(content_of(message)))
    assert message_of(type(message), content.value) == message
