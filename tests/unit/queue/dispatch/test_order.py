"""The order of candidates is that of their effective levels."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from queue_service.domain.order import Candidate, merge, urgency
from queue_service.domain.priority import effective_level

NOW = datetime(2026, 1, 1, tzinfo=UTC)
THRESHOLD = timedelta(minutes=30)

levels = st.integers(1, 30)
waits = st.integers(0, 10**7)


def candidate(
    task: int, *, waited: timedelta = timedelta(0), level: int = 5, lane: str = "d/x/0"
) -> Candidate:
    return Candidate(NOW - waited, task, 1, lane, level, 0, 0)


@given(a=st.tuples(waits, levels), b=st.tuples(waits, levels), threshold=st.integers(1, 10**6))
def test_urgency_orders_like_effective_level(a: tuple[int, int], b: tuple[int, int], threshold: int) -> None:
    """Whoever has the higher effective level comes first, at any threshold; equal ones by arrival."""
    each = [
        candidate(task, waited=timedelta(seconds=waited), level=level)
        for task, (waited, level) in enumerate((a, b))
    ]
    step = timedelta(seconds=threshold)
    one, two = (effective_level(c.level, c.order_at, NOW, step) for c in each)
    if abs(one - two) > 1e-6:
        assert (urgency(each[0], step) < urgency(each[1], step)) == (one > two)


@given(
    st.lists(
        st.tuples(levels, st.sampled_from(["d/a/0", "d/b/1"]), waits), max_size=40, unique_by=lambda t: t[2]
    )
)
def test_merge_is_one_sorted_list(tasks: list[tuple[int, str, int]]) -> None:
    """Merging the lists gives every candidate once, in the order of urgency."""
    every = [
        candidate(number, waited=timedelta(milliseconds=waited), level=level, lane=lane)
        for number, (level, lane, waited) in enumerate(tasks)
    ]
    lists: dict[tuple[str, int], list[Candidate]] = {}
    for each in sorted(every):
        lists.setdefault((each.lane, each.level), []).append(each)
    assert list(merge(lists.values(), THRESHOLD)) == sorted(every, key=lambda c: urgency(c, THRESHOLD))


def test_fifo_within_a_level() -> None:
    """Same level, same instant: the one that was taken in first."""
    first, second = candidate(1), candidate(2)
    assert list(merge([[first], [second]], THRESHOLD)) == [first, second]
    assert list(merge([[second], [first]], THRESHOLD)) == [first, second]


def test_ageing_lifts_over_a_higher_priority() -> None:
    """Priority 3 that waited two thresholds and a bit goes before a fresh 5, not before a fresh 6."""
    old = candidate(9, waited=THRESHOLD * 2 + timedelta(seconds=1), level=3)
    fresh, urgent = candidate(1, level=5), candidate(2, level=6)
    assert list(merge([[old], [fresh], [urgent]], THRESHOLD)) == [urgent, old, fresh]


def test_threshold_is_the_one_in_force() -> None:
    """The same buffers give another order when the threshold changes: nothing was computed before."""
    old, fresh = candidate(9, waited=timedelta(minutes=10), level=3), candidate(1, level=5)
    assert next(merge([[old], [fresh]], timedelta(minutes=30))) == fresh
    assert next(merge([[old], [fresh]], timedelta(minutes=4))) == old


def test_closed_lanes_are_not_looked_at() -> None:
    """A lane that is closed on the way yields nothing more, however long it is."""
    closed: set[str] = set()
    long = [candidate(n, lane="d/a/0") for n in range(1000)]
    other = [candidate(5000, lane="d/b/0")]
    seen = []
    for each in merge([long, other], THRESHOLD, closed):
        seen.append(each.task)
        closed.add("d/a/0")
    assert seen == [0, 5000]
