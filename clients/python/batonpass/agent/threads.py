"""Threads for functions that block."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final, Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_PATIENCE: Final = 0.002
"""Seconds that work may wait before more threads are made: quick work is done by a few."""


class Threads(Generic[T, R]):
    """Calls `work(item)` in a thread and then `done(item, result)` on the event loop, many at a time.

    Threads are made while work is waiting, doubling up to `most`, and are kept. They are daemons: a
    function that never returns does not keep the process alive.
    """

    def __init__(self, work: Callable[[T], R], done: Callable[[T, R], None], most: int) -> None:
        self._work = work
        self._done = done
        self._most = most
        self._loop = asyncio.get_running_loop()
        self._waiting: SimpleQueue[T] = SimpleQueue()
        self._finished: deque[tuple[T, R]] = deque()
        self._collecting = False
        self._threads = 0
        self._growing = False

    def submit(self, item: T) -> None:
        """Has the work done as soon as a thread is free."""
        self._waiting.put(item)
        if self._threads == 0:
            self._add_threads(1)
        if not self._growing:
            self._growing = True
            self._loop.call_later(_PATIENCE, self._grow)

    def _grow(self) -> None:
        waiting = self._waiting.qsize()
        if waiting == 0:
            self._growing = False
            return
        self._add_threads(min(waiting, self._threads, self._most - self._threads))
        self._loop.call_later(_PATIENCE, self._grow)

    def _add_threads(self, count: int) -> None:
        for _ in range(count):
            self._threads += 1
            threading.Thread(target=self._serve, name=f"handler-{self._threads}", daemon=True).start()

    def _serve(self) -> None:
        while True:
            item = self._waiting.get()
            self._finished.append((item, self._work(item)))
            # Read after the append: whoever collects clears it before it looks, so nothing is left behind.
            if not self._collecting:
                self._collecting = True
                try:
                    self._loop.call_soon_threadsafe(self._collect)
                except RuntimeError:
                    return

    def _collect(self) -> None:
        self._collecting = False
        finished = self._finished
        while finished:
            self._done(*finished.popleft())
