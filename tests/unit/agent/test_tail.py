"""The end of the output, as bytes and as text."""

from batonpass.agent.guardian.tail import Tail, text
from hypothesis import given
from hypothesis import strategies as st


@given(st.lists(st.binary(max_size=40)), st.integers(1, 30))
def test_the_last_bytes_are_kept_however_they_arrive(chunks, limit):
    tail = Tail(limit)
    for chunk in chunks:
        tail.feed(chunk)
    assert tail.content() == b"".join(chunks)[-limit:]


@given(st.binary(max_size=60), st.integers(1, 40))
def test_text_fits_the_limit_and_can_be_stored(content, limit):
    made = text(content, limit)
    assert len(made.encode()) <= limit
    assert "\0" not in made


@given(st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40))
def test_text_within_the_limit_is_unchanged(written):
    assert text(written.encode(), 1_000) == written


def test_a_character_cut_in_two_is_left_out():
    assert text("aé".encode()[-2:], 2) == "é"
    assert text("éé".encode()[1:], 3) == "é"
    assert text("日本".encode(), 4) == "本"


def test_bytes_that_are_no_text_are_shown_as_such():
    assert text(b"\xff\0ok") == "\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}ok"
