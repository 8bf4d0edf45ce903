"""Waiting for what is due now to have run."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from queue_service.app.outcomes import OutcomeFeed, Wanted
from queue_service.domain.task import Task
from queue_service.store.outcomes import OutcomeStore
from service_kit.clock import Clock
from service_kit.errors import Unavailable


class Awaiting:
    """Follows the tasks that are due at the call until each has ended."""

    def __init__(self, store: OutcomeStore, feed: OutcomeFeed, clock: Clock) -> None:
        self._store = store
        self._feed = feed
        self._clock = clock

    async def follow(self, namespace: str, queue: str) -> AsyncGenerator[tuple[int, Task | None], None]:
        """How many are left, first alone, then with each task that ends and its last attempt.

        Over when none is left. Raises Unavailable when the service stops before.
        """
        awaited, position = await self._store.awaited(namespace, queue, self._clock.now())
        yield len(awaited), None
        if not awaited:
            return
        wanted = Wanted(all_tasks=True, namespace=namespace, queue=queue)
        async with aclosing(self._feed.after(position, wanted)) as batches:
            async for outcomes, _ in batches:
                for outcome in outcomes:
                    if outcome.task.id in awaited:
                        awaited.discard(outcome.task.id)
                        last = () if outcome.last is None else (outcome.last.without_output(),)
                        yield len(awaited), replace(outcome.task, attempts=last)
                if not awaited:
                    return
        raise Unavailable("the service stops; ask another replica, or again a little later")
