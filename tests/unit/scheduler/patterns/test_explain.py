"""What is said about an event that does not meet a pattern."""

import json

from scheduler_service.domain import trigger
from scheduler_service.domain.patterns.explain import ClauseOutcome, explain
from scheduler_service.domain.patterns.pattern import parse
from scheduler_service.domain.spec import EventSpec


def test_each_clause_is_shown_in_order_with_what_was_found() -> None:
    pattern = parse('{"type":["a"],"data":{"amount":[{"numeric":[">",100]}],"vip":[true]}}')
    assert explain(pattern, {"type": "a", "data": {"amount": 50}}) == [
        ClauseOutcome("type", '["a"]', True, '"a"'),
        ClauseOutcome("data.amount", '[{"numeric":[">",100]}]', False, "50"),
        ClauseOutcome("data.vip", "[true]", False, "missing"),
    ]


def test_or_is_one_clause_that_shows_what_each_branch_found() -> None:
    pattern = parse('{"data":{"$or":[{"a":[1]},{"b":[2]}]}}')
    (outcome,) = explain(pattern, {"data": {"a": 5}})
    assert (outcome.path, outcome.met) == ("data.$or", False)
    assert outcome.clause == '[{"a":[1]},{"b":[2]}]'
    assert outcome.found == '{"data.a": "5", "data.b": "missing"}'


def test_of_an_array_the_element_that_comes_closest_is_shown() -> None:
    pattern = parse('{"items":{"sku":["x"],"count":[2],"color":["red"]}}')
    event = {"items": [{"sku": "y"}, {"sku": "x", "count": 2, "color": "blue"}]}
    outcomes = explain(pattern, event)
    assert [(outcome.path, outcome.met) for outcome in outcomes] == [
        ("items.1.sku", True),
        ("items.1.count", True),
        ("items.1.color", False),
    ]


def test_absence_is_refuted_by_the_element_that_has_it() -> None:
    pattern = parse('{"items":{"refund":[{"exists":false}]}}')
    (outcome,) = explain(pattern, {"items": [{}, {"refund": 5}]})
    assert (outcome.path, outcome.met, outcome.found) == ("items.1.refund", False, "5")


def test_what_was_found_is_cut() -> None:
    (outcome,) = explain(parse('{"a":["x"]}'), {"a": "y" * 10_000})
    assert len(outcome.found) < 600


def test_what_utf8_cannot_hold_is_shown_as_its_escape() -> None:
    (outcome,) = explain(parse('{"\\ud800":["\\udfff"]}'), {"\ud800": "\udc00"})
    assert outcome == ClauseOutcome("\\ud800", '["\\udfff"]', False, '"\\udc00"')


def test_of_an_event_that_is_too_large_for_it_only_the_result_is_said() -> None:
    spec = EventSpec(type="*", pattern=json.dumps({"data": {"a": [{"prefix": str(n)} for n in range(99)]}}))
    large, larger = ({"data": {"a": ["x"] * count}} for count in (500, 10_000))
    assert trigger.explained(spec, large)[1].startswith("pattern: it is not met; the event is too large")
    assert trigger.explained(spec, {"data": {"a": [*large["data"]["a"], "98"]}}) == ([], "")
    assert "more than 500,000 steps" in trigger.explained(spec, larger)[1]
