"""Page tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service_kit.errors import InvalidArgument
from service_kit.pages import page_position, page_token

positions = st.integers() | st.text() | st.lists(st.integers() | st.text())


@given(st.text(), positions)
def test_a_token_gives_its_position_back_for_the_same_filters(filters: str, position: object) -> None:
    assert page_position(filters, page_token(filters, position)) == position


@given(st.text(), st.text(), positions)
def test_a_token_of_other_filters_is_refused(filters: str, others: str, position: object) -> None:
    if filters != others:
        with pytest.raises(InvalidArgument) as refused:
            page_position(others, page_token(filters, position))
        assert [field for field, _ in refused.value.violations] == ["page_token"]


@given(st.text(min_size=1, max_size=60))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        page_position("filters", text)


def test_no_token_is_the_beginning() -> None:
    assert page_position("filters", "") is None
