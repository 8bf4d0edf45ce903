"""What is no content pattern, and what is said about it."""

import json

import pytest

from scheduler_service.domain import trigger
from scheduler_service.domain.errors import InvalidSchedule
from scheduler_service.domain.patterns.errors import PatternRefused
from scheduler_service.domain.patterns.pattern import parse
from scheduler_service.domain.spec import EventSpec


@pytest.mark.parametrize(
    ("pattern", "refusal"),
    [
        ("", "must be JSON"),
        ("[1]", "must be a JSON object"),
        ("{}", "an empty object says nothing"),
        ('{"a": NaN}', "NaN is no JSON"),
        ('{"a": [1e999]}', "1e999 is too large a number"),
        ('{"a": [1], "a": [2]}', "a: stands there twice"),
        ('{"data": {"x": {}}}', "data.x: an empty object"),
        ('{"data": {"x": 5}}', "data.x: must be a list of values, such as [5]"),
        ('{"data": {"x": []}}', "data.x: an empty list"),
        ('{"x": [[1]]}', "x: a list within a list"),
        ('{"x": [{"regex": "a"}]}', "x: there is no operator 'regex'; there are anything-but, cidr"),
        ('{"x": [{}]}', "x: an operator stands alone"),
        ('{"x": [{"prefix": "a", "suffix": "b"}]}', "x: an operator stands alone"),
        ('{"x": [{"prefix": 1}]}', "x: prefix takes a text"),
        ('{"x": [{"prefix": {"wildcard": "a"}}]}', 'x: prefix takes a text or {"equals-ignore-case": text}'),
        ('{"x": [{"equals-ignore-case": ["a"]}]}', "x: equals-ignore-case takes a text"),
        ('{"x": [{"exists": "yes"}]}', "x: exists must be true or false"),
        ('{"x": [{"cidr": "10.0.0.0/33"}]}', "x: '10.0.0.0/33' is no range"),
        ('{"x": [{"wildcard": "a**"}]}', "x: wildcard: two * in a row"),
        ('{"x": [{"wildcard": "a\\\\n"}]}', "x: wildcard: a backslash escapes"),
        ('{"x": [{"wildcard": "a\\\\"}]}', "x: wildcard: a backslash escapes"),
        ('{"x": [{"numeric": []}]}', "x: numeric must be a list such as"),
        ('{"x": [{"numeric": ["=", "5"]}]}', "x: numeric must be a list such as"),
        ('{"x": [{"numeric": ["!=", 5]}]}', "x: numeric must be a list such as"),
        ('{"x": [{"numeric": ["<", 5, ">", 1]}]}', "x: numeric must be a list such as"),
        ('{"x": [{"numeric": [">", 5, "<", 5]}]}', "x: no number lies between 5 and 5"),
        ('{"x": [{"anything-but": []}]}', "x: anything-but takes a text, a number"),
        ('{"x": [{"anything-but": ["a", 1]}]}', "x: anything-but takes a text, a number"),
        ('{"x": [{"anything-but": null}]}', "x: anything-but takes a text, a number"),
        ('{"x": [{"anything-but": {"numeric": ["=", 1]}}]}', "x: anything-but takes values, or one of"),
        (
            '{"x": [{"anything-but": {"prefix": ""}}]}',
            "x: anything-but prefix takes texts that are not empty",
        ),
        ('{"x": [{"anything-but": {"suffix": []}}]}', "x: anything-but suffix takes a text or a list"),
        ('{"data": {"$or": {"a": [1]}}}', "data.$or: must be a list of objects"),
        ('{"$or": [{"a": [1]}]}', "$or: must have at least two branches"),
        ('{"$or": [{"a": [1]}, {}]}', "an empty object says nothing"),
    ],
)
def test_refusal_names_the_path_and_the_rule(pattern: str, refusal: str) -> None:
    with pytest.raises(PatternRefused) as caught:
        parse(pattern)
    assert str(caught.value).startswith(refusal) or refusal in str(caught.value)


def test_refusal_of_a_name_that_utf8_cannot_hold_can_be_sent() -> None:
    with pytest.raises(InvalidSchedule) as caught:
        trigger.check(EventSpec(type="*", pattern='{"\\ud800": 5}'))
    assert str(caught.value).encode("utf-8")


def test_pattern_deeper_than_sixteen_levels_is_refused() -> None:
    def deep(levels: int) -> str:
        return '{"a":' * levels + "[1]" + "}" * levels

    parse(deep(16))
    with pytest.raises(PatternRefused, match="deeper than 16 levels"):
        parse(deep(17))
    with pytest.raises(PatternRefused):
        parse("[" * 9000 + "]" * 9000)


def test_pattern_of_more_than_16_kib_is_refused() -> None:
    parse(json.dumps({"a": ["x" * 16_000]}))
    with pytest.raises(PatternRefused, match="longer than 16,384 bytes"):
        parse(json.dumps({"a": ["ü" * 8_300]}, ensure_ascii=False))


def test_combinations_of_or_are_bounded() -> None:
    def combined(ors: int) -> str:
        return json.dumps({f"k{place}": {"$or": [{"a": [1]}, {"b": [2]}]} for place in range(ors)})

    parse(combined(6))
    with pytest.raises(PatternRefused, match="make 128 combinations, at most 100"):
        parse(combined(7))
    with pytest.raises(PatternRefused, match="combinations"):
        parse(combined(300))


def test_clauses_of_all_combinations_are_bounded() -> None:
    def branches(clauses: int) -> str:
        around = {f"k{place}": [1] for place in range(clauses)}
        return json.dumps(around | {"$or": [{"a": [number]} for number in range(100)]})

    parse(branches(19))
    with pytest.raises(PatternRefused, match="its 100 combinations have 2,100 clauses, at most 2,048"):
        parse(branches(20))
