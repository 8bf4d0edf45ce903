"""The buffer: what is worth keeping, and when to wake whom."""

import asyncio
from datetime import UTC, datetime, timedelta

from queue_service.app.candidates import MOST_LATER, Candidates
from queue_service.domain.order import Candidate
from queue_service.store.finish import Returned
from queue_service.store.lists import BEGINNING, ListKey

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LANE = "default/name:x/0/default"


def candidate(task: int, lane: str = LANE, version: int = 1) -> Candidate:
    return Candidate(NOW, task, version, lane, 5, 0, 0)


def buffer() -> tuple[Candidates, asyncio.Event]:
    wake = asyncio.Event()
    candidates = Candidates(wake)
    candidates.want([("default", "name:x")])
    candidates.read(candidates.find(ListKey(LANE, 5)), [], BEGINNING, 500)
    return candidates, wake


def test_only_what_somebody_here_can_serve() -> None:
    """Tasks of other handlers and namespaces are left to other replicas."""
    candidates, wake = buffer()
    candidates.push([candidate(1, "default/shell/0/default"), candidate(2, "other/name:x/0/default")])
    assert (list(candidates.lists), wake.is_set()) == ([ListKey(LANE, 5)], False)
    candidates.push([candidate(3)])
    assert (list(candidates.lists), wake.is_set()) == ([ListKey(LANE, 5)], True)


def test_a_list_that_was_never_read_is_read_first() -> None:
    """Its first task wakes the dispatcher, which then reads from the beginning."""
    candidates, wake = buffer()
    candidates.push([candidate(1, "default/name:x/7/default")])
    found = candidates.lists[ListKey("default/name:x/7/default", 5)]
    assert (found.waiting, found.more, wake.is_set()) == ([], True, True)


def test_nothing_new_wakes_nobody() -> None:
    """Looking behind the cursor finds the same tasks again and again."""
    candidates, wake = buffer()
    candidates.push([candidate(1)])
    wake.clear()
    candidates.push([candidate(1)])
    assert not wake.is_set()
    candidates.push([candidate(1, version=2)])
    assert wake.is_set()


def test_lists_that_nobody_serves_any_more_are_forgotten() -> None:
    """So memory follows the agents that are here; a list that comes back is read from its beginning."""
    candidates, _ = buffer()
    candidates.push([candidate(1)])
    assert not candidates.want([("default", "name:x")])
    assert candidates.want([("default", "shell")])
    assert candidates.lists == {}


def test_retry_waits_ripen() -> None:
    """A wait that ends here is taken up at its time, without a look at the database."""
    candidates, wake = buffer()
    later = NOW + timedelta(seconds=2)
    candidates.returned([Returned(candidate(1), NOW), Returned(candidate(2), later)], NOW)
    assert (wake.is_set(), candidates.sooner.is_set()) == (True, True)
    (found,) = candidates.lists.values()
    assert [each.task for each in found.waiting] == [1]
    assert candidates.ripen(NOW + timedelta(seconds=1)) == later
    assert candidates.ripen(later) is None
    assert [each.task for each in found.waiting] == [1, 2]


def test_retry_waits_are_bounded() -> None:
    """Beyond the bound they are left to the database."""
    candidates, _ = buffer()
    later = NOW + timedelta(seconds=2)
    candidates.returned([Returned(candidate(n), later) for n in range(MOST_LATER + 10)], NOW)
    candidates.ripen(later)
    (found,) = candidates.lists.values()
    assert len(found.waiting) < MOST_LATER


def test_pages_shrink_with_the_number_of_lists() -> None:
    """Thousands of lists together stay within one bound."""
    candidates, _ = buffer()
    assert candidates.page(500, 20_000) == 500
    for level in range(1, 200):
        candidates.find(ListKey(LANE, level))
    assert candidates.page(500, 20_000) == 100
