"""The buffer of waiting tasks: the heads of the lists that executors here can serve. All of it is hints."""

import asyncio
import heapq
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final

from queue_service.app.fifo import FifoList
from queue_service.domain.handler import Lane
from queue_service.domain.order import Candidate
from queue_service.store.finish import Returned
from queue_service.store.lists import ListKey, Place

MOST_LATER: Final = 10_000
"""Retry waits remembered here; the others are found in the database when they are over."""

Serves = tuple[str, str]
"""A namespace and a handler key."""


@lru_cache(maxsize=10_000)
def serves(lane: str) -> Serves:
    """What an executor must be of, and run, to serve a lane."""
    parsed = Lane.parse(lane)
    return parsed.namespace, parsed.handler_key


class Candidates:
    """The lists, and retry waits that end soon.

    `wake` is set when a task is new here, `sooner` when `ripen` is to be called earlier than it said.
    """

    def __init__(self, wake: asyncio.Event) -> None:
        self._wake = wake
        self.sooner = asyncio.Event()
        self._wanted: frozenset[Serves] = frozenset()
        self._later: list[tuple[datetime, Candidate]] = []
        self.lists: dict[ListKey, FifoList] = {}

    @property
    def wanted(self) -> frozenset[Serves]:
        """What some executor here can serve."""
        return self._wanted

    def want(self, wanted: Iterable[Serves]) -> bool:
        """Sets what is worth buffering; lists of anything else are forgotten. True when that is a change."""
        before, self._wanted = self._wanted, frozenset(wanted)
        if before == self._wanted:
            return False
        self.lists = {key: each for key, each in self.lists.items() if serves(key.lane) in self._wanted}
        return True

    def find(self, key: ListKey) -> FifoList:
        """The list, made if it is not there yet: a new one is read from its beginning."""
        found = self.lists.get(key)
        if found is None:
            found = self.lists[key] = FifoList(key)
        return found

    def push(self, candidates: Iterable[Candidate]) -> None:
        """Takes up tasks that may start now, of any list, in any order."""
        wanted = [each for each in candidates if serves(each.lane) in self._wanted]
        if sum(self.find(ListKey(each.lane, each.level)).take_up(each) for each in wanted):
            self._wake.set()

    def read(self, each: FifoList, page: Sequence[Candidate], since: Place, limit: int) -> None:
        """Takes up a page of a list, see `FifoList.extend`."""
        if each.extend(page, since, limit):
            self._wake.set()

    def returned(self, tasks: Sequence[Returned], now: datetime) -> None:
        """Takes up tasks that wait again: at once, or when their time has come."""
        self.push(task.candidate for task in tasks if task.run_at <= now)
        first = self._later[0] if self._later else None
        for task in tasks:
            if task.run_at > now and len(self._later) < MOST_LATER:
                heapq.heappush(self._later, (task.run_at, task.candidate))
        if self._later and self._later[0] is not first:
            self.sooner.set()

    def ripen(self, now: datetime) -> datetime | None:
        """Takes up what has become due; returns when the next one does."""
        due = []
        while self._later and self._later[0][0] <= now:
            due.append(heapq.heappop(self._later)[1])
        self.push(due)
        return self._later[0][0] if self._later else None

    def of(self, namespace: str) -> list[FifoList]:
        """The lists of a namespace."""
        return [each for key, each in self.lists.items() if serves(key.lane)[0] == namespace]

    def page(self, most: int, total: int) -> int:
        """How many rows to read of each list, so that all of them together stay below `total`."""
        return max(20, min(most, total // max(1, len(self.lists))))
