"""The holds as this replica knows them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from queue_service.domain.holds import NONE_IN_FORCE, Hold, InForce, in_force
from queue_service.domain.task import Task
from queue_service.store.holds import HoldStore, Versions
from service_kit.clock import Clock
from service_kit.loops import Loop

POLL: Final = timedelta(seconds=1)


class HoldBook:
    """A copy, read anew when a source has another version; `loop` is to be run.

    `changed` is called when what is in force has changed: by a change of the holds, or by time.
    """

    def __init__(self, store: HoldStore, clock: Clock, changed: Callable[[], None]) -> None:
        self._store = store
        self._clock = clock
        self._changed = changed
        self._versions: Versions | None = None
        self._holds: list[Hold] = []
        self._in_force = NONE_IN_FORCE
        self.loop = Loop("holds", self.step, POLL)

    def wake(self) -> None:
        """Holds were set (a hint may get lost): looks at once."""
        self.loop.wake.set()

    async def step(self) -> float:
        """Looks once; returns the seconds until the next look."""
        versions = await self._store.versions()
        if versions != self._versions:
            self._holds = await self._store.ahead(self._clock.now()) if versions else []
            self._versions, self._in_force = versions, in_force(self._holds, self._clock.now())
            self._changed()
        return self._seconds_to_change(POLL.total_seconds())

    async def loaded(self) -> InForce:
        """What is in force now; reads the holds when that was never done. Raises DatabaseUnavailable."""
        if self._versions is None:
            await self.step()
        return self.now()

    def now(self) -> InForce:
        """What is in force now, as far as it is known here."""
        until = self._in_force.until
        if until is not None and until <= self._clock.now():
            self._in_force = in_force(self._holds, self._clock.now())
            self._changed()
        return self._in_force

    async def holding(self, task: Task) -> Hold | None:
        """The hold that keeps a task from starting. Raises DatabaseUnavailable."""
        return (await self.loaded()).holding(task.lane, task.level)

    def _seconds_to_change(self, most: float) -> float:
        until = self.now().until
        return most if until is None else min(most, max(0.0, (until - self._clock.now()).total_seconds()))
