"""Holds, as schedulers set them and operators see them."""

from collections.abc import Sequence
from typing import Final

from queue_service.app.signals import Signals
from queue_service.domain.holds import Hold
from queue_service.store.holds import HoldStore
from service_kit.clock import Clock

MOST_LISTED: Final = 1_000


class Holds:
    """Replaces and lists holds."""

    def __init__(self, store: HoldStore, clock: Clock, signals: Signals) -> None:
        self._store = store
        self._clock = clock
        self._signals = signals

    async def replace(
        self, namespace: str, source: str, version: int, holds: Sequence[Hold], actor: str
    ) -> int:
        """Makes them the only holds of the source, if the version is newer; returns the version in force."""
        stored = await self._store.replace(namespace, source, version, holds, actor, self._clock.now())
        self._signals.holds_changed()
        return stored

    async def ahead(self, namespace: str) -> list[Hold]:
        """Up to 1,000 holds that are in force or to come, earliest first."""
        return await self._store.ahead(self._clock.now(), namespace, MOST_LISTED)
