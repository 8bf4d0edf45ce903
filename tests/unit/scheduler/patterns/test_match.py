"""Which events meet a content pattern. Semantics of Amazon EventBridge and aws/event-ruler."""

import json
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from scheduler_service.domain.patterns.explain import explain
from scheduler_service.domain.patterns.pattern import MOST_WAYS, match, parse
from tests.unit.scheduler.patterns import flat

MISSING = object()


def meets(pattern: dict[str, Any], event: dict[str, Any]) -> bool:
    met = match(parse(json.dumps(pattern)), event)
    outcomes = explain(parse(json.dumps(pattern)), event)
    assert met == all(outcome.met for outcome in outcomes)
    return met


def accepts(values: list[Any], value: Any) -> bool:
    event = {"data": {} if value is MISSING else {"x": value}}
    return meets({"data": {"x": values}}, event)


@pytest.mark.parametrize(
    ("values", "met", "unmet"),
    [
        (["a", "b"], ["a", "b"], ["c", "A", "", "ab", None, 1, True, {}, {"a": "a"}, [], MISSING]),
        ([""], [""], [" ", None, 0, False, [], MISSING]),
        ([None], [None], ["", "null", 0, False, [], {}, MISSING]),
        ([1], [1, 1.0, 1e0], ["1", True, 1.5, None]),
        ([0.1, 3e2], [0.1, 300], ["0.1", 30]),
        ([True], [True], [1, "true", False]),
        ([False], [False], [0, "", None]),
        ([123456789012345678], [123456789012345678], [123456789012345679]),
        ([{"exactly": "a"}], ["a"], ["b", MISSING]),
        ([{"prefix": "eu-"}], ["eu-", "eu-1"], ["Eu-1", "x-eu-", 1, None]),
        ([{"suffix": ".png"}], [".png", "a.png"], [".PNG", ".png ", 1]),
        ([{"equals-ignore-case": "Paid"}], ["paid", "PAID", "Paid"], ["paid ", "unpaid", 1, None]),
        ([{"prefix": {"equals-ignore-case": "EU-"}}], ["eu-1", "Eu-"], ["u-", None]),
        ([{"suffix": {"equals-ignore-case": ".PNG"}}], ["a.png", "a.Png"], ["a.pn", 1]),
        ([{"wildcard": "a*c"}], ["ac", "abc", "aXXc", "acc", "a\nc"], ["a", "abcd", "c", "bac", 1]),
        ([{"wildcard": "*/bin/*.jar"}], ["/bin/.jar", "x/bin/y.jar"], ["x/bin.jar", "bin/y.jar"]),
        ([{"wildcard": r"a\*c"}], ["a*c"], ["abc", r"a\*c"]),
        ([{"wildcard": r"a\\*"}], ["a\\", "a\\x"], ["a*", "ax"]),
        ([{"wildcard": "*"}], ["", "x"], [1, None, MISSING]),
        ([{"wildcard": "aba*aba"}], ["abaaba", "aba-aba"], ["aba", "ababa"]),
        ([{"numeric": ["=", 5]}], [5, 5.0], ["5", 6, None, True]),
        ([{"numeric": ["<", 10]}], [9.99, -1e300], [10, "9", None, False]),
        ([{"numeric": ["<=", 10]}], [10, 10.0], [10.000001]),
        ([{"numeric": [">", 0]}], [1e-9, 1], [0, -0.0, -1, True]),
        ([{"numeric": [">=", 0]}], [0, -0.0], [-1e-9]),
        ([{"numeric": [">", 0, "<=", 5]}], [0.1, 5], [0, 5.1]),
        ([{"numeric": [">=", 5, "<=", 5]}], [5], [4, 6]),
        ([{"cidr": "10.0.0.0/24"}], ["10.0.0.0", "10.0.0.255"], ["10.0.1.0", "10.0.0", "::1", 1, "x" * 100]),
        ([{"cidr": "2001:db8::/32"}], ["2001:db8::1", "2001:0DB8:0::ff"], ["2001:db9::1", "10.0.0.1"]),
        ([{"cidr": "10.0.0.7/24"}], ["10.0.0.1"], ["10.0.1.1"]),
        ([{"cidr": "0.0.0.0/0"}], ["10.0.0.1"], ["::1"]),
        ([{"exists": True}], ["", None, 0, False, ["a"]], [MISSING, {}, {"y": 1}, [], [{}]]),
        ([{"exists": False}], [MISSING, {}, {"y": 1}, [], [{}], [[]]], ["", None, 0, ["a"], [[None]]]),
        ([{"exists": False}, "a"], [MISSING, "a"], ["b", None]),
        ([{"anything-but": "a"}], ["b", "A", "", None, 1, True], ["a", MISSING, {}, []]),
        ([{"anything-but": ["a", "b"]}], ["c", None], ["a", "b"]),
        ([{"anything-but": 1}], [2, "1", True, None], [1, 1.0]),
        ([{"anything-but": [1, 2]}], [3, "2"], [1, 2.0]),
        ([{"anything-but": {"prefix": "a"}}], ["b", 1, None], ["a", "ab", MISSING]),
        ([{"anything-but": {"prefix": ["a", "b"]}}], ["c"], ["a1", "b1"]),
        ([{"anything-but": {"suffix": ["x", "y"]}}], ["z"], ["1x", "1y"]),
        ([{"anything-but": {"equals-ignore-case": "a"}}], ["b"], ["a", "A"]),
        ([{"anything-but": {"equals-ignore-case": ["a", "b"]}}], ["c"], ["A", "B"]),
        ([{"anything-but": {"wildcard": "*/bin/*"}}], ["x"], ["a/bin/b"]),
        ([{"anything-but": {"wildcard": ["a*", "*b"]}}], ["xc"], ["ax", "xb"]),
        (["a", {"prefix": "b"}, 3, None], ["a", "b1", 3, None], ["c", 4, False]),
    ],
)
def test_operator_accepts_exactly_its_values(values: list[Any], met: list[Any], unmet: list[Any]) -> None:
    assert [value for value in met if not accepts(values, value)] == []
    assert [value for value in unmet if accepts(values, value)] == []


def test_every_field_named_must_be_met_and_others_do_not_matter() -> None:
    pattern = {"type": ["a"], "data": {"x": [1], "y": {"z": ["b"]}}}
    assert meets(pattern, {"type": "a", "data": {"x": 1, "y": {"z": "b", "w": 0}, "more": []}, "id": "1"})
    assert not meets(pattern, {"type": "a", "data": {"x": 1, "y": {"z": "c"}}})
    assert not meets(pattern, {"type": "a", "data": {"x": 1, "y": "b"}})


def test_array_is_met_when_any_of_its_elements_is() -> None:
    assert accepts(["a", "b"], ["x", "b"])
    assert accepts([{"numeric": [">", 5]}], [1, [2, [6]]])
    assert not accepts(["a"], ["x", {"a": "a"}])
    assert accepts([{"anything-but": ["a"]}], ["a", "b"])
    assert not accepts([{"anything-but": ["a"]}], ["a", "a"])


EMPLOYEES = {
    "employees": [
        [{"first": "John", "last": "Doe"}, {"first": "Anna", "last": "Smith"}],
        [{"first": "Peter", "last": "Jones", "age": 40}],
    ]
}


def test_clauses_below_an_array_of_objects_must_be_met_by_one_element() -> None:
    assert meets({"employees": {"first": ["Anna"], "last": ["Smith"]}}, EMPLOYEES)
    assert not meets({"employees": {"first": ["Anna"], "last": ["Jones"]}}, EMPLOYEES)


def test_absence_is_read_within_the_element_that_the_other_clauses_choose() -> None:
    assert meets({"employees": {"age": [{"exists": False}], "first": ["Anna"]}}, EMPLOYEES)
    assert not meets({"employees": {"age": [{"exists": False}], "first": ["Peter"]}}, EMPLOYEES)


def test_absence_alone_must_hold_for_every_element() -> None:
    assert not meets({"employees": {"age": [{"exists": False}]}}, EMPLOYEES)
    assert meets({"employees": {"height": [{"exists": False}]}}, EMPLOYEES)


def test_or_is_met_by_any_branch_on_top_of_everything_around_it() -> None:
    pattern = {
        "source": ["shop"],
        "$or": [
            {"a": [1, 2]},
            {"b": [1], "c": ["x"], "$or": [{"d": [1]}, {"e": [2]}]},
        ],
    }
    assert meets(pattern, {"source": "shop", "a": 2})
    assert meets(pattern, {"source": "shop", "b": 1, "c": "x", "e": 2})
    assert not meets(pattern, {"source": "shop", "b": 1, "c": "x"})
    assert not meets(pattern, {"source": "mall", "a": 2})


def test_branch_of_an_or_is_met_within_the_element_that_the_rest_chooses() -> None:
    pattern = {"a": {"x": [1]}, "$or": [{"a": {"y": [1]}}, {"b": [1]}]}
    assert meets(pattern, {"a": [{"x": 1, "y": 1}]})
    assert not meets(pattern, {"a": [{"x": 1}, {"y": 1}]})
    assert meets(pattern, {"a": [{"x": 1}, {"y": 1}], "b": 1})


def test_name_with_a_dot_is_one_name() -> None:
    assert meets({"data": {"a.b": [1]}}, {"data": {"a.b": 1}})
    assert not meets({"data": {"a.b": [1]}}, {"data": {"a": {"b": 1}}})


def test_arrays_nested_as_deep_as_json_goes_are_read() -> None:
    deep: Any = 1
    for _ in range(50_000):
        deep = [deep]
    assert match(parse('{"data": {"x": [1]}}'), {"data": {"x": deep}})


def test_event_that_would_take_too_many_steps_does_not_meet_a_pattern() -> None:
    pattern = {"data": [*({"prefix": str(number)} for number in range(99)), 5]}
    assert match(parse(json.dumps(pattern)), {"data": [0] * 4_900 + [5]})
    assert not match(parse(json.dumps(pattern)), {"data": [0] * 5_000 + [5]})
    assert not match(parse(json.dumps(pattern)), {"data": ["x" * 320_000, 5]})
    assert match(parse('{"data": [5]}'), {"data": [0] * 131_000 + [5]})


NAMES = st.sampled_from("abc")
SCALARS = st.sampled_from(["s", "t", 1, 2, True, None])
ITEMS = SCALARS | st.sampled_from([{"exists": True}, {"exists": False}, {"anything-but": ["s"]}])
PATTERNS = st.recursive(
    st.lists(ITEMS, min_size=1, max_size=2),
    lambda inner: st.dictionaries(NAMES, inner, min_size=1, max_size=3),
    max_leaves=5,
).filter(lambda pattern: isinstance(pattern, dict))
WITH_OR = st.builds(
    lambda pattern, branches: pattern | {"$or": branches},
    PATTERNS,
    st.lists(PATTERNS, min_size=2, max_size=2),
)
DOCUMENTS = st.dictionaries(
    NAMES,
    st.recursive(
        SCALARS,
        lambda inner: st.dictionaries(NAMES, inner, max_size=3) | st.lists(inner, max_size=3),
        max_leaves=8,
    ),
    max_size=3,
)


@given(PATTERNS | WITH_OR, DOCUMENTS)
@example({"a": {"a": ["s"]}, "$or": [{"a": ["s"]}, {"a": ["s"]}]}, {"a": [{"a": "s"}, ["s"]]})
@settings(max_examples=400, deadline=None)
def test_matching_agrees_with_fields_laid_flat_and_with_its_explanation(
    pattern: dict[str, Any], document: dict[str, Any]
) -> None:
    assume(len(flat.demands(pattern)) <= MOST_WAYS)
    assert meets(pattern, document) == flat.matches(pattern, document)
