"""What this replica believes of the executors whose sessions it has. The database decides."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

from queue_service.domain.admission import Use
from queue_service.domain.limits import Limits
from queue_service.store.sessions import SessionStore, Standing

Amount = tuple[int, int, int]
"""Tasks, CPU, memory."""


class Ledger:
    """Use, limits and ageing threshold by executor; `wake` is set when there is more room somewhere.

    What happens here is added and subtracted, what happens elsewhere is learnt by `refresh`. An error only
    costs time: a claim beyond the limits in force is refused by the database.
    """

    def __init__(self, store: SessionStore, wake: asyncio.Event) -> None:
        self._store = store
        self._wake = wake
        self._standings: dict[int, Standing] = {}
        self._moves = 0
        self._under_way = 0

    def standing(self, executor: int) -> Standing | None:
        """None for an executor without a session here."""
        return self._standings.get(executor)

    def forget(self, executor: int) -> None:
        """Its session has gone."""
        self._standings.pop(executor, None)

    def charge(self, amounts: Mapping[int, Amount]) -> None:
        """Leases were won."""
        self._move(amounts, 1)

    def release(self, amounts: Mapping[int, Amount]) -> None:
        """Leases have ended."""
        self._move(amounts, -1)
        if amounts:
            self._wake.set()

    @contextmanager
    def moving(self) -> Iterator[None]:
        """Around each transaction that changes the use of executors, until it is counted here."""
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    async def learn(self, executors: list[int]) -> None:
        """Reads executors anew. Raises DatabaseUnavailable."""
        self._standings.update(await self._store.standings(executors))

    async def refresh(self) -> None:
        """Reads all of them anew; figures that were on the move meanwhile only ever go down by it."""
        if not self._standings:
            return
        moves, quiet = self._moves, not self._under_way
        found = await self._store.standings(list(self._standings))
        quiet = quiet and moves == self._moves
        for executor, standing in found.items():
            known = self._standings.get(executor)
            if known is not None:
                use = standing.use if quiet else _lower(known.use, standing.use)
                self._put(executor, known, Standing(use, standing.limits, standing.threshold))

    def threshold(self, executor: int) -> timedelta:
        """The ageing threshold of the executor's namespace."""
        return self._standings[executor].threshold

    def _put(self, executor: int, known: Standing, new: Standing) -> None:
        if _has_more_room(new, known):
            self._wake.set()
        self._standings[executor] = new

    def _move(self, amounts: Mapping[int, Amount], sign: int) -> None:
        self._moves += 1
        for executor, (tasks, cpu, memory) in amounts.items():
            known = self._standings.get(executor)
            if known is not None:
                use = Use(
                    max(0, known.use.tasks + sign * tasks),
                    max(0, known.use.cpu + sign * cpu),
                    max(0, known.use.memory + sign * memory),
                )
                self._standings[executor] = Standing(use, known.limits, known.threshold)


def _lower(a: Use, b: Use) -> Use:
    return Use(min(a.tasks, b.tasks), min(a.cpu, b.cpu), min(a.memory, b.memory))


def _free(limits: Limits, use: Use) -> Amount:
    return limits.max_tasks - use.tasks, limits.max_cpu - use.cpu, limits.max_memory - use.memory


def _has_more_room(new: Standing, old: Standing) -> bool:
    before, after = _free(old.limits, old.use), _free(new.limits, new.use)
    return new.threshold != old.threshold or any(b > a for a, b in zip(before, after, strict=True))
