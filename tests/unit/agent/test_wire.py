"""Frames between agent and guardian."""

from batonpass.agent.guardian.wire import Ended, Frames, frame
from hypothesis import given
from hypothesis import strategies as st

HEADERS = st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=3)


@given(st.lists(st.tuples(HEADERS, st.binary(max_size=20)), max_size=5), st.integers(1, 9))
def test_frames_come_out_as_they_went_in_however_they_are_cut(sent, size):
    stream = b"".join(frame(header, rest) for header, rest in sent)
    frames = Frames()
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert [got for piece in pieces for got in frames.feed(piece)] == sent


def test_an_end_survives_the_way():
    ended = Ended(exit_code=-9, stopped="timeout", cpu_seconds=0.5, peak_bytes=7, duration=1.25)
    assert Ended.of(ended.header(3)) == ended
