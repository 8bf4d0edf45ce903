"""Starvation: who has waited long enough to have risen, and a push for them."""

from datetime import datetime, timedelta

from queue_service.app.signals import Signals
from queue_service.store.executors import Change, ExecutorStore
from queue_service.store.starvation import StarvationStore, Starving
from service_kit.clock import Clock

__all__ = ["Starvation", "Starving"]


class Starvation:
    """Reports and boosts."""

    def __init__(
        self,
        store: StarvationStore,
        executors: ExecutorStore,
        clock: Clock,
        signals: Signals,
    ) -> None:
        self._store = store
        self._executors = executors
        self._clock = clock
        self._signals = signals

    async def prevent(
        self, namespace: str, queue: str, threshold: timedelta | None, boost: bool, actor: str
    ) -> tuple[list[Starving], timedelta, datetime]:
        """The tasks that ageing has raised, the threshold in force, and the instant they are judged at.

        A threshold that is given is stored first. With `boost` each task rises by one level more.
        """
        now = self._clock.now()
        if threshold is None:
            in_force = (await self._executors.defaults(namespace)).threshold
        else:
            change = Change(threshold=threshold)
            in_force = (await self._executors.change_defaults(namespace, change, actor, now)).threshold
            self._signals.limits_changed()
        if not boost:
            return await self._store.report(namespace, queue, in_force, now), in_force, now
        found, moved = await self._store.boost(namespace, queue, in_force, actor, now)
        self._signals.ready(moved)
        return found, in_force, now
