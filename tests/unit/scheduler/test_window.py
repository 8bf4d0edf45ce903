"""What is under way: bounded, answered once, forgotten only for a reason."""

from scheduler_service.app.queue_client import MOST_BYTES, MOST_TASKS, batches
from scheduler_service.app.window import Window
from scheduler_service.domain.fire import Disposition
from scheduler_service.store.outbox import Parcel, Verdict
from tests.support.walker import utc

NOW, LATER = utc("2026-01-01T00:00"), utc("2026-01-01T00:01")
FIRED = Disposition.FIRED


def parcels(*numbers: int) -> list[Parcel]:
    return [Parcel(number, "default", "s", f"t{number}", b"") for number in numbers]


def answer(window: Window, number: int) -> object:
    """When what is answered was sent."""
    sent = window.answer(("default", f"t{number}"), FIRED, "")
    return None if sent is None else sent.at


def test_room_comes_back_only_when_a_verdict_is_written_down() -> None:
    window = Window(3)
    window.add(parcels(1, 2), NOW)
    assert window.room == 1
    assert answer(window, 1) == NOW
    assert window.room == 1
    window.settled(window.answered(10))
    assert (window.room, window.fires) == (2, [2])


def test_second_verdict_and_a_stranger_are_told_apart_from_an_answer() -> None:
    window = Window()
    window.add(parcels(1), NOW)
    assert answer(window, 1) == NOW
    assert answer(window, 1) is None
    assert answer(window, 7) is None
    assert window.answered(10) == [Verdict(1, FIRED, "")]


def test_broken_stream_forgets_what_is_unanswered_and_nothing_else() -> None:
    window = Window()
    window.add(parcels(1, 2), NOW)
    answer(window, 1)
    window.forget()
    assert window.fires == [1]
    assert window.oldest is None


def test_oldest_is_what_has_waited_longest() -> None:
    window = Window()
    window.add(parcels(1), NOW)
    window.add(parcels(2), LATER)
    assert window.oldest == NOW
    answer(window, 1)
    assert window.oldest == LATER


def test_window_that_holds_too_much_has_no_room() -> None:
    window = Window(1)
    window.add(parcels(1, 2), NOW)
    assert window.room == 0


def test_messages_hold_few_enough_tasks_and_bytes_in_order() -> None:
    small = [bytes([number % 256]) for number in range(2 * MOST_TASKS + 1)]
    assert [len(batch) for batch in batches(small)] == [MOST_TASKS, MOST_TASKS, 1]
    assert [task for batch in batches(small) for task in batch] == small
    large = [b"x" * (MOST_BYTES // 2)] * 3
    assert [len(batch) for batch in batches(large)] == [1, 1, 1]
    assert batches([]) == []
