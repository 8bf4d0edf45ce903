"""A list in memory: order, duplicates, bounds, and what is passed over for now."""

import random
from datetime import UTC, datetime, timedelta

from queue_service.app import fifo
from queue_service.app.fifo import FifoList
from queue_service.domain.limits import Need
from queue_service.domain.order import Candidate
from queue_service.store.lists import BEGINNING, ListKey, Place

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEY = ListKey("default/name:x/0/default", 5)


def candidate(task: int, version: int = 1, cpu: int = 0, memory: int = 0) -> Candidate:
    return Candidate(NOW + timedelta(seconds=task), task, version, KEY.lane, KEY.level, cpu, memory)


def place(task: int) -> Place:
    return Place(NOW + timedelta(seconds=task), task)


def ids(found: FifoList) -> list[int]:
    return [each.task for each in found.waiting]


def test_insert_keeps_order_and_knows_duplicates() -> None:
    """In any order, any number of times: sorted, once each, the newest version."""
    found = FifoList(KEY)
    tasks = list(range(50))
    random.Random(1).shuffle(tasks)
    assert all(found.insert(candidate(task)) for task in tasks)
    assert not any(found.insert(candidate(task)) for task in tasks)
    assert ids(found) == list(range(50))
    assert found.insert(candidate(7, version=2))
    assert not found.insert(candidate(7, version=1))
    assert [each.version for each in found.waiting[6:9]] == [1, 2, 1]


def test_reading_on_moves_the_cursor() -> None:
    """A full page means that there may be more, a short one that there is none."""
    found = FifoList(KEY)
    assert found.extend([candidate(1), candidate(2)], BEGINNING, 2)
    assert (found.cursor, found.more) == (place(2), True)
    assert found.extend([candidate(3)], place(2), 2)
    assert (found.cursor, found.more) == (place(3), False)


def test_a_page_read_from_an_old_place_does_not_move_the_cursor() -> None:
    """Two reads at a time, or a step back in between: nothing is skipped."""
    found = FifoList(KEY)
    found.extend([candidate(n) for n in range(1, 5)], BEGINNING, 4)
    found.park()
    found.unpark()
    found.extend([candidate(5)], place(4), 4)
    assert found.cursor == Place(NOW + timedelta(seconds=1), 0)
    assert found.more


def test_too_many_are_cut_and_read_again() -> None:
    """The front stays, the cursor goes back to it, and the list knows that it goes on."""
    found = FifoList(KEY)
    for task in range(fifo.MOST + 1):
        found.insert(candidate(task))
    found.more = False
    found.cursor = place(fifo.MOST)
    for task in range(fifo.MOST + 1, fifo.MOST * 2):
        found.insert(candidate(task))
    assert len(found.waiting) <= fifo.MOST
    assert found.more
    assert found.cursor <= place(ids(found)[-1])
    assert ids(found)[:3] == [0, 1, 2]


def test_parking_forgets_and_remembers_from_where() -> None:
    """What fits nowhere makes room for what is behind it, and is read again from its first place on."""
    found = FifoList(KEY)
    found.extend([candidate(1, cpu=500, memory=10), candidate(2, cpu=400, memory=20)], BEGINNING, 2)
    found.park()
    assert (found.waiting, found.parked_need) == ([], Need(400, 10))
    found.extend([candidate(3, cpu=300, memory=30)], place(2), 2)
    found.park()
    assert found.parked_need == Need(300, 10)
    found.unpark()
    assert (found.cursor, found.more, found.parked) == (Place(NOW + timedelta(seconds=1), 0), True, None)


def test_nobody_passes_those_that_were_not_read_yet() -> None:
    """A new task of a long list waits its turn in the database; one that came back does not."""
    found = FifoList(KEY)
    found.extend([candidate(1), candidate(5)], BEGINNING, 2)
    assert found.take_up(candidate(9))
    assert found.take_up(candidate(3))
    assert ids(found) == [1, 3, 5]
    found.extend([], place(5), 2)
    assert found.take_up(candidate(9))
    assert ids(found) == [1, 3, 5, 9]


def test_removed_ones_can_come_back() -> None:
    """A claim that was lost drops the candidate; a later read may bring it again."""
    found = FifoList(KEY)
    found.insert(candidate(1))
    found.remove({1, 99})
    assert found.waiting == []
    assert found.insert(candidate(1))
