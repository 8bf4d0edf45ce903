"""Overlap verdicts."""

from hypothesis import given
from hypothesis import strategies as st

from queue_service.domain.overlap import Enqueue, Fire, Overlap, Skip, judge

SCHEDULE = "default", "s"
SEQUENCE = "default", "default", "s"


def fire(name: str, policy: Overlap, known: bool = False) -> Fire:
    return Fire(name, SCHEDULE, SEQUENCE, policy, known)


def test_skip_gives_way_to_a_task_in_the_queue() -> None:
    assert judge([fire("b", Overlap.SKIP)], {SCHEDULE: "a"}, frozenset()) == [Skip("a")]


def test_skip_goes_ahead_when_nothing_is_in_the_queue() -> None:
    other = {("default", "other"): "x", ("elsewhere", "s"): "y"}
    assert judge([fire("b", Overlap.SKIP)], other, frozenset()) == [Enqueue()]


def test_of_fires_that_come_together_the_first_wins() -> None:
    fires = [fire(name, Overlap.SKIP) for name in "abc"]
    assert judge(fires, {}, frozenset()) == [Enqueue(), Skip("a"), Skip("a")]


def test_buffered_fires_line_up_behind_the_first() -> None:
    fires = [fire(name, Overlap.BUFFER_ALL) for name in "abc"]
    assert judge(fires, {}, frozenset()) == [
        Enqueue(ready=True, sequenced=True),
        Enqueue(ready=False, sequenced=True),
        Enqueue(ready=False, sequenced=True),
    ]
    behind = judge(fires[:1], {SCHEDULE: "x"}, frozenset({SEQUENCE}))
    assert behind == [Enqueue(ready=False, sequenced=True)]


def test_a_fire_that_was_judged_before_stands_in_nobodys_way() -> None:
    fires = [fire("a", Overlap.SKIP, known=True), fire("b", Overlap.SKIP)]
    assert judge(fires, {}, frozenset()) == [Enqueue(), Enqueue()]


def test_a_fire_that_was_judged_before_does_not_lead_a_line() -> None:
    fires = [fire("a", Overlap.BUFFER_ALL, known=True), fire("b", Overlap.BUFFER_ALL)]
    assert judge(fires, {}, frozenset())[1] == Enqueue(ready=True, sequenced=True)


@given(st.lists(st.booleans(), max_size=8))
def test_allow_all_never_gives_way_but_is_in_the_way_of_skip(known: list[bool]) -> None:
    fires = [fire(str(number), Overlap.ALLOW_ALL, each) for number, each in enumerate(known)]
    verdicts = judge([*fires, fire("last", Overlap.SKIP)], {}, frozenset())
    assert verdicts[:-1] == [Enqueue()] * len(fires)
    assert verdicts[-1] == (Enqueue() if all(known) else Skip(str(known.index(False))))
