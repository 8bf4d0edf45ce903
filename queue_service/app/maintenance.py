"""Housekeeping: days ahead, days past, and what nobody can ask for any more."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from queue_service.store.maintenance import PAGE, MaintenanceStore
from service_kit.clock import Clock
from service_kit.logs import logger

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Retention:
    """How long things are kept: ended tasks with attempts and audit trail, ended sessions.

    Executors are forgotten together with the history they could be named in.
    """

    history: timedelta = timedelta(days=30)
    sessions: timedelta = timedelta(days=7)


class Maintenance:
    """`step` does what is due; any number of replicas may call it."""

    def __init__(self, store: MaintenanceStore, clock: Clock, retention: Retention) -> None:
        self._store = store
        self._clock = clock
        self._retention = retention

    async def step(self) -> None:
        """Once through everything, in small transactions."""
        now = self._clock.now()
        await self._store.make_partitions()
        while await self._store.count_a_day(now):
            pass
        await self._store.forget_counts((now - self._retention.history).date())
        dropped = await self._store.drop_partitions(self._retention.history)
        if dropped:
            log.info("retention dropped days", partitions=dropped)
        await _paged(lambda: self._store.prune_keys(now))
        await _paged(lambda: self._store.prune_payloads(now))
        await _paged(lambda: self._store.prune_sessions(now - self._retention.sessions))
        await _paged(lambda: self._store.prune_holds(now))
        await _paged(lambda: self._store.prune_executors(now - self._retention.history))


async def _paged(prune: Callable[[], Awaitable[int | None]]) -> None:
    """Until a page is not full; None means that another replica is at it."""
    while await prune() == PAGE:
        pass
