"""What a session remembers of its leases."""

from datetime import UTC, datetime, timedelta

from queue_service.app.leasebook import LeaseBook
from queue_service.domain.lease import Ref

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LONG = timedelta(seconds=10)
A, B = Ref(1, 10), Ref(2, 20)
FORGED = Ref(1, 99)


def book() -> LeaseBook:
    made = LeaseBook([], NOW)
    made.add([A, B])
    return made


def test_only_the_right_token_counts() -> None:
    """A lease named with another token is not the session's."""
    assert book().unknown([A, FORGED, Ref(3, 1)]) == [FORGED, Ref(3, 1)]
    assert book().accept([FORGED], NOW) == []


def test_accepting_twice_is_news_once() -> None:
    """And tells the result when the attempt began."""
    made = book()
    assert made.accept([A], NOW) == [A]
    assert made.accept([A, B], NOW) == [B]
    assert made.report(A) == NOW


def test_a_result_answers_the_offer() -> None:
    """After it the offer is not asked back, even while the result is not stored yet."""
    made = book()
    assert made.report(A) is None
    assert made.revoke([A, B]) == [B]
    assert made.unanswered([A, B]) == [B]


def test_a_lease_that_ended_by_a_result_is_not_lost() -> None:
    """Neither while the result is being stored nor afterwards."""
    made = book()
    made.report(A)
    assert made.unreported([A, B, FORGED]) == [B]
    made.drop([A])
    assert made.unreported([A]) == []


def test_each_thing_is_asked_once() -> None:
    """Revokes and cancels are found by looking again and again."""
    made = book()
    assert made.revoke([A]) == [A]
    assert made.revoke([A]) == []
    assert made.cancel({A: LONG, FORGED: LONG}) == {A: LONG}
    assert made.cancel({A: LONG}) == {}


def test_less_time_to_end_is_news() -> None:
    """A kill that follows a cancel must not wait for the cancel's grace."""
    made = book()
    made.cancel({A: LONG})
    assert made.cancel({A: timedelta(0), B: LONG}) == {A: timedelta(0), B: LONG}
    assert made.cancel({A: LONG}) == {}


def test_leases_of_an_earlier_session_run() -> None:
    """They were accepted there."""
    made = LeaseBook([A], NOW)
    assert made.unanswered([A]) == []
    assert made.report(A) == NOW


def test_ended_leases_are_forgotten() -> None:
    """Only by their own token."""
    made = book()
    made.drop([FORGED, B])
    assert (made.unknown([A, B]), len(made)) == ([B], 1)
