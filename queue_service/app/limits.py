"""Limits and executors, as operators see and set them."""

from datetime import timedelta
from typing import Final

from queue_service.app.paging import page
from queue_service.app.signals import Signals
from queue_service.domain.errors import ExecutorNotFound
from queue_service.domain.executor import Executor
from queue_service.domain.limits import Limits
from queue_service.store.executors import Change, Defaults, ExecutorStore
from service_kit.clock import Clock
from service_kit.pages import DEFAULT_SIZE, page_position

__all__ = ["Change", "Defaults", "ExecutorLimits"]

_LISTING: Final = "executors"


class ExecutorLimits:
    """Reads and changes what executors may use."""

    def __init__(self, store: ExecutorStore, clock: Clock, signals: Signals) -> None:
        self._store = store
        self._clock = clock
        self._signals = signals

    async def get(self, namespace: str, name: str) -> tuple[Limits, list[Executor]]:
        """The defaults, and the executor named, or those that differ. Raises ExecutorNotFound."""
        now = self._clock.now()
        defaults = await self._store.defaults(namespace)
        if name:
            found = await self._store.named(namespace, name, now)
            if found is None:
                raise ExecutorNotFound(name)
            return defaults.limits, [found]
        executors = await self._store.of(namespace, now)
        return defaults.limits, [executor for executor in executors if executor.own_limits]

    async def change(
        self, namespace: str, name: str, change: Change, actor: str
    ) -> tuple[Limits, Executor | None]:
        """Sets the defaults, or one executor's own limits. Raises ExecutorNotFound."""
        now = self._clock.now()
        if not name:
            defaults = await self._store.change_defaults(namespace, change, actor, now)
            self._signals.limits_changed()
            return defaults.limits, None
        executor = await self._store.change_executor(namespace, name, change, actor, now)
        if executor is None:
            raise ExecutorNotFound(name)
        self._signals.limits_changed()
        return (await self._store.defaults(namespace)).limits, executor

    async def page(self, namespace: str, size: int, token: str) -> tuple[list[Executor], str]:
        """One page of executors by name, and the token of the next. Raises InvalidArgument."""
        size, filters = size or DEFAULT_SIZE, (_LISTING, namespace)
        after = page_position(filters, token) or ""
        found = await self._store.page(namespace, after, size + 1, self._clock.now())
        return page(found, size, filters, lambda executor: executor.name, _size)

    async def threshold(self, namespace: str) -> timedelta:
        """Waiting time that raises a task by a level."""
        return (await self._store.defaults(namespace)).threshold


def _size(executor: Executor) -> int:
    """About how many bytes it takes in a message."""
    labels = sum(len(name.encode()) + len(value.encode()) for name, value in executor.labels.items())
    return 500 + labels + sum(len(name.encode()) + 2 for name in executor.handlers)
