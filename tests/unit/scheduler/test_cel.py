"""Conditions in CEL."""

from typing import Any

import pytest

from scheduler_service.domain import cel

EVENT: dict[str, Any] = {
    "type": "order.created",
    "time": "2026-01-01T00:00:00.000000Z",
    "data": {"amount": 150, "ratio": 1.5, "note": None, "items": [{"sku": "a"}, {"sku": "b"}]},
}


@pytest.mark.parametrize(
    "expression",
    [
        "event.data.amount > 100",
        "event.data.amount == 150.0 && event.data.ratio < 2.0",
        "event.type.startsWith('order.') || event.nothing",
        "event.data.items.exists(item, item.sku == 'b')",
        "event.data.items.map(item, item.sku) == ['a', 'b']",
        "has(event.data.amount) && !has(event.data.discount)",
        "event.data.note == null",
        "timestamp(event.time) >= timestamp('2026-01-01T00:00:00Z')",
        "event.type.matches('^order[.](created|paid)$')",
        "size(event.data.items) == 2 && 'amount' in event.data",
    ],
)
def test_event_meets_a_true_condition(expression: str) -> None:
    assert cel.compile(expression).refusal(EVENT) == ""


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("event.data.amount > 200", "it is false"),
        ("event.data.amount", "it is '150', neither true nor false"),
        ("event.data.discount > 1", "the event has no field 'discount'"),
        ("event.data.note > 1", "it cannot be evaluated: No such overload"),
        ("event.data.amount / 0 > 1", "it cannot be evaluated: division by zero"),
        ("event.data.items[7].sku == 'a'", "it cannot be evaluated: index out of bounds"),
        ("event.type.matches('(')", "it cannot be evaluated"),
    ],
)
def test_anything_else_does_not_meet_it_and_says_why(expression: str, reason: str) -> None:
    assert cel.compile(expression).refusal(EVENT).startswith(reason)


@pytest.mark.parametrize(
    ("expression", "rule"),
    [
        ("event.data.amount >", "Failed to parse"),
        ("data.amount > 1", "knows the variable `event` only"),
        ("event.type.lower() == 'a'", "has no function lower"),
        ("'" + "x" * 4096 + "'", "is longer than 4,096 bytes"),
        ("(" * 2000 + "true" + ")" * 2000, "Failed to parse"),
    ],
)
def test_what_is_no_condition_is_refused(expression: str, rule: str) -> None:
    with pytest.raises(cel.ExpressionRefused) as caught:
        cel.compile(expression)
    assert rule in str(caught.value)


@pytest.mark.parametrize(
    ("expression", "values", "is_evaluated"),
    [
        ("event.data.exists(x, x == 1)", 100_000, True),
        ("event.data.exists(x, event.data.exists(y, x + y == 2))", 400, True),
        ("event.data.exists(x, event.data.exists(y, x + y == 5))", 1000, False),
        ("event.data. map (x, x + 1).size() > 1", 400, True),
        ("event.data. map (x, x + 1).size() > 1", 1000, False),
        ("event.data.filter(x, x == 1).exists(x, true)", 1000, False),
        ("event.type != ').map(x, event.data.map(y, y))'", 1000, True),
    ],
)
def test_loops_over_too_many_values_are_not_begun(expression: str, values: int, is_evaluated: bool) -> None:
    event = {"type": "a", "data": [1] * values}
    refusal = cel.compile(expression).refusal(event)
    assert (refusal == "") is is_evaluated
    assert is_evaluated or "more than 200,000 steps" in refusal


def test_loop_does_not_meet_huge_texts() -> None:
    refusal = cel.compile("event.data.all(x, (x + x) != '')").refusal({"data": ["x" * 40_000]})
    assert "a text of more than 32,768 characters" in refusal


def test_number_beyond_64_bits_does_no_harm() -> None:
    assert cel.compile("event.data == 1").refusal({"data": 2**200}) != ""
