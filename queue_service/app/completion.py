"""The one way a lease ends: reports of agents, pull clients and the reaper, stored in groups."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Final

from queue_service.app.ledger import Ledger
from queue_service.domain.ending import FinishAnswer, Finished, Stored
from queue_service.domain.states import FINAL
from queue_service.store.finish import FinishStore, Returned
from service_kit.clock import Clock
from service_kit.group import GroupCommit

MOST_IN_A_TRANSACTION: Final = 1_000
MOST_CALLS_IN_A_GROUP: Final = 64

Batch = tuple[Finished, ...]
Answers = list[FinishAnswer]


class Completion:
    """Stores how leases ended; `returned` is told which tasks wait again, `count` what was answered.

    `ended` and `waiting` may be set: called when tasks have ended for good, and when some wait again.
    """

    def __init__(
        self,
        store: FinishStore,
        clock: Clock,
        ledger: Ledger,
        returned: Callable[[Sequence[Returned]], None],
        count: Callable[[Sequence[FinishAnswer]], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._ledger = ledger
        self._returned = returned
        self._count = count
        self.ended: Callable[[], None] = lambda: None
        self.waiting: Callable[[], None] = lambda: None
        self._group: GroupCommit[Batch, Answers] = GroupCommit(self._flush, MOST_CALLS_IN_A_GROUP)

    async def finish(self, reports: Sequence[Finished]) -> Answers:
        """One answer for each report, after COMMIT.

        Repeating it is safe: what was stored before is a Duplicate then. Raises DatabaseUnavailable; a part
        of the reports may be stored nevertheless.
        """
        answers: Answers = []
        for start in range(0, len(reports), MOST_IN_A_TRANSACTION):
            answers += await self._group.submit(tuple(reports[start : start + MOST_IN_A_TRANSACTION]))
        return answers

    async def close(self) -> None:
        """Stores what was handed in and takes no more."""
        await self._group.close()

    async def _flush(self, batches: list[Batch]) -> list[Answers]:
        answers: list[Answers] = []
        for transaction in _packed(batches):
            answers += await self._store_all(transaction)
        return answers

    async def _store_all(self, batches: Sequence[Batch]) -> list[Answers]:
        with self._ledger.moving():
            batch = await self._store.finish(
                [report for batch in batches for report in batch], self._clock.now()
            )
            self._ledger.release(batch.released)
        self._count(batch.answers)
        if batch.returned:
            self._returned(batch.returned)
            self.waiting()
        if any(isinstance(answer, Stored) and answer.state in FINAL for answer in batch.answers):
            self.ended()
        answers = iter(batch.answers)
        return [list(islice(answers, len(batch))) for batch in batches]


def _packed(batches: Sequence[Batch]) -> Iterator[list[Batch]]:
    """The batches in order, as many together as go into one transaction."""
    together: list[Batch] = []
    for batch in batches:
        if together and sum(map(len, together)) + len(batch) > MOST_IN_A_TRANSACTION:
            yield together
            together = []
        together.append(batch)
    if together:
        yield together
