"""Executors that refuse or ignore their offers are left alone for a while."""

from datetime import timedelta

import pytest

from queue_service.domain.lease import Ref
from queue_service.domain.willingness import LONGEST_REST, Willingness, rest_after

OFFER = [Ref(1, 1)]


def test_rests_double_up_to_the_longest() -> None:
    assert [rest_after(n) for n in (1, 2, 3)] == [timedelta(milliseconds=ms) for ms in (250, 500, 1000)]
    assert rest_after(7) == rest_after(10_000) == LONGEST_REST
    with pytest.raises(ValueError, match="at least 1"):
        rest_after(0)


def test_refusals_in_a_row_make_longer_rests_and_work_ends_them() -> None:
    executor = Willingness()
    assert executor.may_be_offered(0.0)
    executor.declined(OFFER, 0.0)
    assert not executor.may_be_offered(0.2)
    assert executor.may_be_offered(0.25)
    executor.declined(OFFER, 1.0)
    assert not executor.may_be_offered(1.4)
    executor.took(OFFER)
    assert executor.may_be_offered(1.4)
    executor.declined(OFFER, 2.0)
    assert executor.may_be_offered(2.25)


def test_nothing_is_offered_while_an_answer_is_owed() -> None:
    executor = Willingness()
    executor.ignored([Ref(1, 1), Ref(2, 2)])
    assert not executor.may_be_offered(1e9)
    executor.answered([Ref(1, 1)])
    assert not executor.may_be_offered(1e9)
    executor.took([Ref(2, 2)])
    assert executor.may_be_offered(0.0)
