"""Looks for tasks that the buffer does not know of: of other replicas, come back, or committed late."""

from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from queue_service.app.candidates import Candidates, Serves, serves
from queue_service.app.fifo import FifoList
from queue_service.app.pace import Pace
from queue_service.domain.handler import lanes_of
from queue_service.domain.order import Candidate
from queue_service.store.lists import (
    BEGINNING,
    Gap,
    ListKey,
    ListStore,
    Place,
)
from service_kit.clock import Clock
from service_kit.loops import Loop

POLL: Final = timedelta(seconds=1)
LATE: Final = timedelta(seconds=5)
"""How long after its `order_at` a task may be committed and still be found at once."""

LONG_AGO: Final = timedelta(minutes=1)
"""What came back before that is found by reading the lists from their beginning."""

PAGE: Final = 500
MOST_ROWS: Final = 20_000
"""Rows of one read, all lists together."""


class _Job:
    """One kind of read with its own pace."""

    def __init__(
        self, run: Callable[[datetime], Awaitable[bool]], pace: Pace, *, hinted: bool = True
    ) -> None:
        self.run = run
        self.pace = pace
        self.hinted = hinted
        self.wanted = True


class Lookout:
    """Fills the buffer beside the dispatcher; `loop` is to be run.

    A hint makes it look where new tasks are expected, every POLL it looks everywhere. Hints may get lost, so
    the poll is the truth.
    """

    def __init__(self, store: ListStore, clock: Clock, candidates: Candidates) -> None:
        self._store = store
        self._clock = clock
        self._candidates = candidates
        self._returned: Place | None = None
        self._poll = Pace(POLL)
        self._jobs = [
            _Job(self._new_lists, Pace()),
            _Job(self._new_tasks, Pace()),
            _Job(self._come_back, Pace()),
            _Job(self._late, Pace()),
            _Job(self._passed_over, Pace(POLL), hinted=False),
        ]
        self.loop = Loop("lookout", self.step, POLL, candidates.sooner)

    def hint(self) -> None:
        """Somebody else has put something into the queue, or an executor came that serves other lists."""
        for job in self._jobs:
            job.wanted = job.wanted or job.hinted
        self._candidates.sooner.set()

    async def step(self) -> float:
        """Runs the reads whose turn it is; returns the seconds until the next one."""
        if self._poll.wait() == 0:
            self._poll.begin()
            self._poll.end()
            for job in self._jobs:
                job.wanted = True
        now = self._clock.now()
        for job in self._jobs:
            if job.wanted and job.pace.wait() == 0:
                await self._run(job, now)
        waits = [job.pace.wait() for job in self._jobs if job.wanted]
        ripe_at = self._candidates.ripen(self._clock.now())
        if ripe_at is not None:
            waits.append((ripe_at - self._clock.now()).total_seconds())
        return max(0.001, min([self._poll.wait(), *waits]))

    async def refill(self, lists: list[FifoList], now: datetime) -> None:
        """Reads on in lists that are known to go on."""
        limit = self._candidates.page(PAGE, MOST_ROWS)
        await self._read_on(
            [each for each in lists if each.more and len(each.waiting) < limit // 2], limit, now
        )

    async def _run(self, job: _Job, now: datetime) -> None:
        job.pace.begin()
        try:
            job.wanted = await job.run(now)
        finally:
            job.pace.end()

    async def survey(self) -> None:
        """Finds the heads of all lists that have become of interest. Raises DatabaseUnavailable."""
        await self._new_lists(self._clock.now())

    async def _new_lists(self, now: datetime) -> bool:
        """Lists that had no tasks before."""
        found = await self._store.levels(self._gaps())
        limit = self._candidates.page(PAGE, MOST_ROWS)
        wanted = [key for key in found if serves(key.lane) in self._candidates.wanted]
        await self._read_on([self._candidates.find(key) for key in wanted], limit, now)
        return False

    def _gaps(self) -> list[Gap]:
        known: defaultdict[Serves, list[ListKey]] = defaultdict(list)
        for key in sorted(self._candidates.lists):
            known[serves(key.lane)].append(key)
        gaps = []
        for wanted in self._candidates.wanted:
            before, after = lanes_of(*wanted)
            edges = [ListKey(before, 0), *known[wanted], ListKey(after, 0)]
            gaps += [Gap(*each) for each in pairwise(edges)]
        return gaps

    async def _new_tasks(self, now: datetime) -> bool:
        """New tasks of lists that had been read to their end."""
        ends = [each for each in self._candidates.lists.values() if not each.more]
        await self._read_on(ends, self._candidates.page(PAGE, MOST_ROWS), now)
        return False

    async def _read_on(self, lists: list[FifoList], limit: int, now: datetime) -> None:
        if not lists:
            return
        cursors = [(each.key, each.cursor) for each in lists]
        pages: defaultdict[ListKey, list[Candidate]] = defaultdict(list)
        for candidate in await self._store.ahead(cursors, limit, now):
            pages[ListKey(candidate.lane, candidate.level)].append(candidate)
        for each, (key, cursor) in zip(lists, cursors, strict=True):
            self._candidates.read(each, pages[key], cursor, limit)

    async def _come_back(self, now: datetime) -> bool:
        """Tasks that are in their old place again. True when there may be more."""
        after = self._returned or Place(now - LONG_AGO, 0)
        page = await self._store.due(after, PAGE, now)
        if page:
            self._returned = Place(page[-1].run_at, page[-1].candidate.task)
        else:
            self._returned = after
        self._candidates.push(each.candidate for each in page if each.is_free)
        return len(page) == PAGE

    async def _late(self, now: datetime) -> bool:
        """Tasks that were committed after later ones had been read."""
        start = Place(now - LATE, 0)
        await self._look_behind(
            [
                (each.key, start, each.cursor)
                for each in self._candidates.lists.values()
                if each.cursor > start
            ],
            now,
        )
        return False

    async def _passed_over(self, now: datetime) -> bool:
        """Anything before the cursors that nobody holds: the safety net of all hints."""
        await self._look_behind(
            [
                (each.key, BEGINNING, min(each.cursor, each.parked or each.cursor))
                for each in self._candidates.lists.values()
                if each.cursor > BEGINNING
            ],
            now,
        )
        return False

    async def _look_behind(self, ranges: list[tuple[ListKey, Place, Place]], now: datetime) -> None:
        if ranges:
            limit = self._candidates.page(PAGE, MOST_ROWS)
            self._candidates.push(await self._store.between(ranges, limit, now))
