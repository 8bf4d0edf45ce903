"""Texts with parameters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_service.domain.template_text import UnknownParameter, expand


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("dump ${table} at ${hour}", "dump orders at 3"),
        ("${table}${table}", "ordersorders"),
        ("$${table} $$ $ {table} $table $(table)", "${table} $$ $ {table} $table $(table)"),
        ("$$${table}", "$${table}"),
        ("", ""),
    ],
)
def test_places_become_values(text, made):
    assert expand(text, {"table": "orders", "hour": "3"}) == made


@pytest.mark.parametrize("text", ["${tabel}", "${", "${ table }", "${1}", "${a-b}", "${table"])
def test_what_is_no_parameter_is_said(text):
    with pytest.raises(UnknownParameter):
        expand(text, {"table": "orders"})


@given(st.text())
def test_a_text_that_is_escaped_stays_as_it_is(text):
    assert expand(text.replace("${", "$${"), {}) == text


@given(st.text())
def test_values_are_not_expanded_again(value):
    assert expand("<${a}>", {"a": value, "b": "x"}) == f"<{value}>"
