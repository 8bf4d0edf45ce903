"""How long the agent may run what it holds."""

from batonpass.agent.lease import Lease
from hypothesis import given
from hypothesis import strategies as st


def test_nothing_may_run_before_the_first_answer():
    lease = Lease()
    lease.hello(10.0)
    assert lease.is_over(10.0)


def test_it_counts_from_the_sending_of_the_beat_and_not_from_its_answer():
    lease = Lease()
    lease.hello(10.0)
    assert lease.acknowledged(0, 15)
    assert lease.until == 25.0
    seq = lease.beat(15.0)
    assert lease.acknowledged(seq, 15)
    assert lease.until == 30.0
    assert not lease.is_over(29.9)
    assert lease.is_over(30.0)


def test_beats_count_from_one_in_every_session():
    lease = Lease()
    for _ in range(2):
        lease.hello(0.0)
        assert [lease.beat(1.0), lease.beat(2.0)] == [1, 2]


def test_an_answer_to_nothing_renews_nothing():
    lease = Lease()
    lease.hello(0.0)
    assert not lease.acknowledged(7, 15)
    assert lease.acknowledged(0, 15)
    assert not lease.acknowledged(0, 1_000)
    assert lease.until == 15.0


def test_an_earlier_session_s_promise_still_holds():
    """Between two sessions work goes on until the last acknowledged beat runs out."""
    lease = Lease()
    lease.hello(0.0)
    lease.acknowledged(0, 15)
    lease.hello(10.0)
    assert not lease.is_over(14.0)
    assert not lease.acknowledged(5, 15)


@given(st.lists(st.tuples(st.floats(0, 100), st.booleans()), max_size=30))
def test_it_never_ends_later_than_the_last_acknowledged_beat_allows(steps):
    lease, now, newest = Lease(), 0.0, 0.0
    lease.hello(now)
    lease.acknowledged(0, 15)
    for passed, answered in steps:
        now += passed
        seq = lease.beat(now)
        if answered:
            lease.acknowledged(seq, 15)
            newest = now
        assert lease.until == newest + 15


def test_answers_may_come_late_and_out_of_order():
    lease = Lease()
    lease.hello(0.0)
    first, second = lease.beat(1.0), lease.beat(2.0)
    assert lease.acknowledged(second, 15)
    lease.acknowledged(first, 15)
    assert lease.until == 17.0
