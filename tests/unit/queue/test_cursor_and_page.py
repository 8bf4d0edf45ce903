"""Cursors of feeds, and where pages end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queue_service.app.paging import LARGEST_PAGE, page
from queue_service.domain.cursor import START, Cursor
from service_kit.pages import page_position


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


@given(st.lists(st.integers(0, 3 * LARGEST_PAGE), max_size=12), st.integers(1, 10))
def test_pages_of_any_sizes_show_each_item_once(sizes: list[int], most: int) -> None:
    seen: list[int] = []
    begin = 0
    while True:
        found = list(enumerate(sizes))[begin : begin + most + 1]
        shown, token = page(found, most, "f", lambda item: item[0], lambda item: item[1])
        assert len(shown) <= most
        assert len(shown) <= 1 or sum(size for _, size in shown) <= LARGEST_PAGE
        seen += [number for number, _ in shown]
        if not token:
            break
        assert shown
        begin = page_position("f", token) + 1
    assert seen == list(range(len(sizes)))
