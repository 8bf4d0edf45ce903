"""What a session remembers of its leases."""

from datetime import UTC, datetime, timedelta

from queue_service.app.leasebook import LeaseBook
from queue_service.domain.ending import Finished, How
from queue_service.domain.holds import Hold, in_force
from queue_service.domain.lease import Ref

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LONG = timedelta(seconds=10)
A, B = Ref(1, 10), Ref(2, 20)
FORGED = Ref(1, 99)
NORMAL, URGENT = ("default/name:x/0/default", 5), ("default/name:x/0/default", 9)
HOLD = Hold("default", "calendar/c", NOW, NOW + LONG, allow_priority=9)


def book() -> LeaseBook:
    made = LeaseBook([], NOW)
    made.add([(A, NORMAL), (B, URGENT)])
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
    assert made.revoke([A, B], "late") == [B]
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
    assert made.revoke([A], "late") == [A]
    assert made.revoke([A], "late") == []
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


def test_offers_that_a_hold_keeps_from_starting_are_untimely() -> None:
    """Unless they are answered already; of answered ones only those that are named."""
    made = book()
    held = in_force([HOLD], NOW)
    assert made.untimely(in_force([HOLD], NOW + LONG)) == {}
    assert made.untimely(held) == {str(HOLD): [A]}
    made.accept([A, B], NOW)
    assert made.untimely(held) == {}
    assert made.untimely(held, [A, B]) == {str(HOLD): [A]}
    assert LeaseBook([A], NOW).untimely(held, [A]) == {}


def test_a_recalled_attempt_goes_back_unless_it_has_succeeded() -> None:
    """What it did until it was stopped is no failure of its own."""
    made = book()
    made.recall(A, "held")
    back = Finished(*A, How.RETURNED, detail="held")
    assert made.counted([Finished(*A, How.CANCELLED), Finished(*A, How.FAILED)]) == [back, back]
    others = [Finished(*A, How.SUCCEEDED), Finished(*B, How.FAILED), Finished(*FORGED, How.FAILED)]
    assert made.counted(others) == others


def test_what_comes_back_says_why_it_was_asked_back() -> None:
    made = book()
    made.revoke([A], "late")
    made.revoke([A, B], "held")
    assert made.by_revocation([A, B, FORGED]) == {"late": [A], "held": [B], "": [FORGED]}
