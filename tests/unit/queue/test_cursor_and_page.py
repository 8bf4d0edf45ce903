"""Positions that clients keep: cursors and page tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queue_service.app.paging import LARGEST_PAGE, page, position
from queue_service.domain.cursor import START, Cursor
from queue_service.domain.page import page_position, page_token


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**63 - 1))
def test_a_cursor_reads_back_from_its_text(xid: int, row: int) -> None:
    assert Cursor.parse(str(Cursor(xid, row))) == Cursor(xid, row)


@pytest.mark.parametrize(
    "text", ["", "1", "1.", ".1", "a.b", "1.2.3", "-1.2", "1.2 ", f"{2**64}.1", f"1.{2**63}"]
)
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="cursor"):
        Cursor.parse(text)


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**63 - 1))
def test_the_start_is_before_everything(xid: int, row: int) -> None:
    assert Cursor(xid, row) >= START


@given(st.text(), st.text())
def test_a_page_token_gives_its_position_back_for_the_same_filters(filters: str, position: str) -> None:
    assert page_position(filters, page_token(filters, position)) == position


@given(st.text(), st.text(), st.text())
def test_a_page_token_of_other_filters_is_refused(filters: str, others: str, position: str) -> None:
    if filters != others:
        with pytest.raises(ValueError, match="another listing"):
            page_position(others, page_token(filters, position))


@given(st.text(max_size=60))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="page token"):
        page_position("filters", text)


@given(st.lists(st.integers(0, 3 * LARGEST_PAGE), max_size=12), st.integers(1, 10))
def test_pages_of_any_sizes_show_each_item_once(sizes: list[int], most: int) -> None:
    seen: list[int] = []
    begin = 0
    while True:
        found = list(enumerate(sizes))[begin : begin + most + 1]
        shown, token = page(found, most, "f", lambda item: str(item[0]), lambda item: item[1])
        assert len(shown) <= most
        assert len(shown) <= 1 or sum(size for _, size in shown) <= LARGEST_PAGE
        seen += [number for number, _ in shown]
        if not token:
            break
        assert shown
        begin = int(position("f", token)) + 1
    assert seen == list(range(len(sizes)))
