"""Caller metadata."""

import pytest
from batonpass.options import caller_metadata
from hypothesis import given
from hypothesis import strategies as st

from service_kit.caller import Caller, acting_as, caller_from_metadata, current_caller
from service_kit.errors import InvalidArgument


def test_absent_metadata_means_defaults() -> None:
    assert caller_from_metadata([("user-agent", "x")]) == Caller("default", "anonymous")


@given(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=128))
def test_any_printable_actor_survives_the_way(actor: str) -> None:
    metadata = caller_metadata("ops-1", actor)
    assert all(value.isascii() for _, value in metadata)
    assert caller_from_metadata(metadata) == Caller("ops-1", actor)


def test_plain_words_look_the_same_on_the_wire() -> None:
    assert caller_metadata("default", "zoe smith <zoe@example.org>")[1][1].startswith("zoe smith ")


@pytest.mark.parametrize("namespace", ["", "Upper", "-a", "a_b", "a" * 64, "a\n", "ä"])
def test_malformed_namespace_is_refused_with_the_rule(namespace: str) -> None:
    with pytest.raises(InvalidArgument, match=r"must match \^\[a-z0-9\]") as refused:
        caller_from_metadata([("batonpass-namespace", namespace)])
    assert refused.value.violations[0].field == "batonpass-namespace"


@pytest.mark.parametrize("actor", ["", "x" * 129, "line%0Abreak", "%00"])
def test_malformed_actor_is_refused(actor: str) -> None:
    with pytest.raises(InvalidArgument, match="printable"):
        caller_from_metadata([("batonpass-actor", actor)])


def test_current_caller_is_known_inside_only() -> None:
    with acting_as(Caller("a", "b")):
        assert current_caller() == Caller("a", "b")
    with pytest.raises(LookupError):
        current_caller()
