"""Payloads made of events by a template."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_service.domain.payload import LONGEST, PayloadTooLong, TemplateRefused, fill, parse

EVENT: dict[str, Any] = {
    "id": "e1",
    "type": "order.created",
    "data": {"order": {"id": 17, "vip": True, "note": None}, "items": [{"sku": 'a"b'}, {"sku": "c"}]},
}


def filled(template: Any, document: dict[str, Any] = EVENT) -> Any:
    return json.loads(fill(parse(json.dumps(template), of_batch=False), document))


@pytest.mark.parametrize(
    ("template", "payload"),
    [
        ("{{data.order.id}}", 17),
        ("{{ data.order.vip }}", True),
        ("{{data.order}}", {"id": 17, "vip": True, "note": None}),
        ("{{data.items.0.sku}}", 'a"b'),
        ("{{data.items.2.sku}}", None),
        ("{{data.items.sku}}", None),
        ("{{data.order.nothing.at.all}}", None),
        ("{{data.order.note}}", None),
        ("order {{data.order.id}} of {{type}}", "order 17 of order.created"),
        ("[{{data.items.0.sku}}]", '[a"b]'),
        ("[{{data.order.vip}}{{data.order.note}}{{data.nothing}}]", "[true]"),
        ("as text: {{data.items}}", 'as text: [{"sku":"a\\"b"},{"sku":"c"}]'),
        ("{{{{data}}", "{{data}}"),
        ("a }} b } {", "a }} b } {"),
        ("{{id}}{{id}}", "e1e1"),
        (
            {"a": ["{{id}}", 1, None, {"b": "x{{id}}"}], "{{id}}": 2},
            {"a": ["e1", 1, None, {"b": "xe1"}], "{{id}}": 2},
        ),
        (5, 5),
    ],
)
def test_places_are_filled_in(template: Any, payload: Any) -> None:
    assert filled(template) == payload


def test_batch_is_a_list_of_events() -> None:
    template = parse('{"ids": ["{{events.0.id}}", "{{events.1.id}}"], "all": "{{events}}"}', of_batch=True)
    assert json.loads(fill(template, {"events": [EVENT]})) == {"ids": ["e1", None], "all": [EVENT]}


@pytest.mark.parametrize(
    ("template", "rule"),
    [
        ("", "must be a JSON document"),
        ("{{data}}", "must be a JSON document"),
        ('{"a": NaN}', "NaN is no JSON"),
        ('{"a": 1e999}', "1e999 is too large a number"),
        ('"{{data"', "has {{ without }}; write {{{{ for two braces"),
        ('"{{}}"', "{{}} is no path"),
        ('"{{data..x}}"', "{{data..x}} is no path"),
        ('"{{data.x y}}"', "is no path"),
        ('"{{1 + 1}}"', "is no path"),
        ('"{{dta.x}}"', "{{dta.x}} must begin with id or source or type or subject or time or data"),
        ('"{{events}}"', "must begin with id"),
        ("[" * 5000 + "]" * 5000, "must be a JSON document"),
    ],
)
def test_what_is_no_template_is_refused(template: str, rule: str) -> None:
    with pytest.raises(TemplateRefused) as caught:
        parse(template, of_batch=False)
    assert rule in str(caught.value)


def test_payload_has_a_bound_however_often_a_value_is_repeated() -> None:
    template = parse(json.dumps(["{{data}}"] * 5000), of_batch=False)
    with pytest.raises(PayloadTooLong):
        fill(template, {"data": "x" * 250_000})
    assert len(fill(parse('"{{data}}"', of_batch=False), {"data": "x" * (LONGEST - 2)})) == LONGEST
    with pytest.raises(PayloadTooLong):
        fill(parse('"{{data}}"', of_batch=False), {"data": "ü" * (LONGEST // 2)})


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_value_arrives_as_it_is_whatever_it_holds(value: Any) -> None:
    assert filled({"x": "{{data}}", "y": "{{id}}"}, {"data": value, "id": "i"}) == {"x": value, "y": "i"}


@given(st.text())
def test_text_arrives_inside_a_text_as_it_is(text: str) -> None:
    assert filled("<{{data}}>", {"data": text}) == f"<{text}>"


@given(JSON)
def test_document_without_places_is_its_own_payload(document: Any) -> None:
    if "{{" not in json.dumps(document):
        assert filled(document) == document
