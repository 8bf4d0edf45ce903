"""What happens to tasks, for who watches: one reader of the audit trail for all watchers of this replica."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Final

from queue_service.app.bell import Bell, heard
from queue_service.domain.activity import Activity
from queue_service.domain.errors import WatchTooSlow
from queue_service.store.transitions import TransitionStore
from service_kit.clock import Clock

PAGE: Final = 20
"""Rows of the trail at a time; each may speak of a thousand tasks."""

POLL: Final = timedelta(milliseconds=500)
MOST_BATCHES: Final = 500
"""Batches kept for a watcher that does not read; then its watch ends."""

Batch = list[Activity]


class _Watcher:
    def __init__(self, namespace: str, queue: str) -> None:
        self._namespace = namespace
        self._queue = queue
        self.batches: asyncio.Queue[Batch | Exception | None] = asyncio.Queue(MOST_BATCHES)

    def offer(self, batch: Batch) -> bool:
        """Keeps what this watcher wants of a batch; False when it has fallen too far behind."""
        wanted = [
            activity
            for activity in batch
            if activity.namespace == self._namespace and self._queue in ("", activity.queue)
        ]
        if not wanted:
            return True
        if self.batches.qsize() >= MOST_BATCHES - 1:
            self.end(WatchTooSlow())
            return False
        self.batches.put_nowait(wanted)
        return True

    def end(self, why: Exception | None) -> None:
        """The last thing the watcher gets; None when the service stops."""
        self.batches.put_nowait(why)


class ActivityFeed:
    """Reads only while somebody watches. `happened` rings when there may be something new."""

    def __init__(self, store: TransitionStore, clock: Clock, happened: Bell, poll: timedelta = POLL) -> None:
        self._store = store
        self._clock = clock
        self._happened = happened
        self._poll = poll.total_seconds()
        self._watchers: set[_Watcher] = set()
        self._reader: asyncio.Task[None] | None = None
        self._started: asyncio.Future[None] | None = None

    async def watch(self, namespace: str, queue: str) -> AsyncGenerator[Batch, None]:
        """An empty batch when the watch has begun, then what happens; ends when the service stops.

        Raises WatchTooSlow, or DatabaseUnavailable when the database goes away.
        """
        watcher = _Watcher(namespace, queue)
        self._watchers.add(watcher)
        try:
            await self._reading()
            yield []
            while True:
                batch = await watcher.batches.get()
                if batch is None:
                    return
                if isinstance(batch, Exception):
                    raise batch
                yield batch
        finally:
            self._watchers.discard(watcher)
            if not self._watchers and self._reader is not None:
                self._reader.cancel()

    async def _reading(self) -> None:
        """Returns when the reader has its starting point."""
        if self._reader is None or self._reader.done() or self._reader.cancelling():
            self._started = asyncio.get_running_loop().create_future()
            self._reader = asyncio.create_task(self._read_on(self._started), name="activity-reader")
        assert self._started is not None
        await asyncio.shield(self._started)

    async def _read_on(self, started: "asyncio.Future[None]") -> None:
        try:
            await self._read(started)
            self._end_all(None)
        except asyncio.CancelledError:
            started.cancel()
            raise
        except Exception as error:
            if not started.done():
                started.set_exception(error)
                # Marks it as seen when nobody waits for it any more.
                started.exception()
            self._end_all(error)

    async def _read(self, started: "asyncio.Future[None]") -> None:
        since = self._clock.now()
        position = await self._store.end()
        started.set_result(None)
        with self._happened.listening() as rung:
            while not self._happened.closed:
                rung.clear()
                batch, following = await self._store.after(position, since, PAGE)
                if batch:
                    self._watchers = {watcher for watcher in self._watchers if watcher.offer(batch)}
                if following == position or not batch:
                    await heard(rung, self._poll)
                position = following

    def _end_all(self, why: Exception | None) -> None:
        for watcher in self._watchers:
            watcher.end(why)
