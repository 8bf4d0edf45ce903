"""Limits and executors, as operators see and set them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from queue_service.app.signals import Signals
from queue_service.domain.errors import BadPageToken, ExecutorNotFound
from queue_service.domain.executor import Executor
from queue_service.domain.limits import Limits
from queue_service.domain.page import page_position, page_token
from queue_service.store.executors import Change, Defaults, ExecutorStore
from service_kit.clock import Clock

__all__ = ["Change", "Defaults", "ExecutorLimits"]

DEFAULT_PAGE: Final = 100
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
        """One page of executors by name, and the token of the next. Raises BadPageToken."""
        size = size or DEFAULT_PAGE
        filters = _LISTING, namespace
        found = await self._store.page(namespace, _after(filters, token), size + 1, self._clock.now())
        page = found[:size]
        return page, page_token(filters, page[-1].name) if len(found) > size else ""

    async def threshold(self, namespace: str) -> timedelta:
        """Waiting time that raises a task by a level."""
        return (await self._store.defaults(namespace)).threshold


def _after(filters: Sequence[str], token: str) -> str:
    if not token:
        return ""
    try:
        return page_position(filters, token)
    except ValueError:
        raise BadPageToken from None
