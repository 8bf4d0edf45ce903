"""One FIFO list as far as it is in memory."""

from bisect import insort
from collections.abc import Collection, Sequence
from typing import Final

from queue_service.domain.limits import Need
from queue_service.domain.order import Candidate
from queue_service.store.lists import BEGINNING, ListKey, Place

MOST: Final = 4_000
"""Candidates kept of a list; the rest stays in the database."""


class FifoList:
    """Candidates of one lane and level in order, and how far the list has been read.

    `cursor` is the place up to which everything has been seen, `more` says that there may be something after
    it. What was seen and fits nowhere can be parked: it is forgotten, and read again from its first place on
    when there is room for it.
    """

    __slots__ = ("_tasks", "cursor", "key", "more", "parked", "parked_need", "waiting")

    def __init__(self, key: ListKey) -> None:
        self.key = key
        self.waiting: list[Candidate] = []
        self.cursor = BEGINNING
        self.more = True
        self.parked: Place | None = None
        self.parked_need = Need()
        self._tasks: dict[int, int] = {}

    def insert(self, candidate: Candidate) -> bool:
        """Puts it in its place, instead of an older version of the same task. False when it was there."""
        known = self._tasks.get(candidate.task)
        if known is not None:
            if known >= candidate.version:
                return False
            self.remove((candidate.task,))
        self._tasks[candidate.task] = candidate.version
        if not self.waiting or candidate > self.waiting[-1]:
            self.waiting.append(candidate)
        else:
            insort(self.waiting, candidate)
        if len(self.waiting) > MOST:
            self._cut()
        return True

    def take_up(self, candidate: Candidate) -> bool:
        """Puts in what was not read from the list in turn. True when it is worth another look.

        Where the list has not been read to its end, what lies beyond the cursor is left there: it must not
        pass those between.
        """
        if self.more and (candidate.order_at, candidate.task) > self.cursor:
            return True
        return self.insert(candidate)

    def extend(self, page: Sequence[Candidate], since: Place, limit: int) -> bool:
        """Takes up the page of up to `limit` that was read after `since`. True when something is new.

        The cursor stays when it was moved during the read: then another read, or a step back, counts.
        """
        if self.cursor == since:
            self.more = len(page) >= limit
            if page:
                self.cursor = Place(page[-1].order_at, page[-1].task)
        return sum(map(self.insert, page)) > 0

    def remove(self, tasks: Collection[int]) -> None:
        """Drops candidates: they were claimed, or turned out to be gone."""
        gone = {task for task in tasks if self._tasks.pop(task, None) is not None}
        if gone:
            self.waiting = [each for each in self.waiting if each.task not in gone]

    def park(self) -> None:
        """Forgets all candidates because none of them fits anywhere, so that those behind are seen."""
        if not self.waiting:
            return
        first = Place(self.waiting[0].order_at, self.waiting[0].task - 1)
        needs = [Need(min(each.cpu for each in self.waiting), min(each.memory for each in self.waiting))]
        if self.parked is not None:
            first = min(first, self.parked)
            needs.append(self.parked_need)
        self.parked = first
        self.parked_need = Need(min(need.cpu for need in needs), min(need.memory for need in needs))
        self.waiting, self._tasks = [], {}

    def unpark(self) -> None:
        """Goes back to the first that was parked."""
        if self.parked is not None:
            self.cursor, self.more, self.parked = min(self.cursor, self.parked), True, None

    def _cut(self) -> None:
        """Keeps the front; what is dropped will be read again."""
        kept = MOST * 3 // 4
        for candidate in self.waiting[kept:]:
            del self._tasks[candidate.task]
        del self.waiting[kept:]
        self.cursor = min(self.cursor, Place(self.waiting[-1].order_at, self.waiting[-1].task))
        self.more = True
