"""Threads for functions that block."""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final, Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_PATIENCE: Final = 0.002
"""Seconds that work may wait before more threads are called."""


class Threads(Generic[T, R]):
    """Calls `work(item)` in a thread and then `done(item, result)` on the event loop, many at a time.

    A thread that is called takes item after item, so quick work is done by one thread, without a switch
    between threads for each item. More are called, 1, 2, 4 ... at a time, while items keep waiting. Threads
    are made as they are needed, at most `most`, and kept. They are daemons: a function that never returns
    does not keep the process alive.
    """

    def __init__(self, work: Callable[[T], R], done: Callable[[T, R], None], most: int) -> None:
        self._work = work
        self._done = done
        self._most = most
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[T] = deque()
        self._finished: deque[tuple[T, R]] = deque()
        self._calls: SimpleQueue[None] = SimpleQueue()
        self._idle: deque[None] = deque()
        self._threads = 0
        self._called = False
        self._collecting = False
        self._step = 0

    def submit(self, item: T) -> None:
        """Has the work done as soon as a thread is free."""
        self._waiting.append(item)
        if not self._called:
            self._call(1)
        if self._step == 0:
            self._step = 1
            self._loop.call_later(_PATIENCE, self._help)

    def _help(self) -> None:
        """Calls more threads for what is still waiting."""
        waiting = len(self._waiting)
        if waiting == 0:
            self._step = 0
            return
        self._call(min(waiting, self._step))
        self._step *= 2
        self._loop.call_later(_PATIENCE, self._help)

    def _call(self, count: int) -> None:
        self._called = True
        lacking = min(count - len(self._idle), self._most - self._threads)
        for _ in range(lacking):
            self._threads += 1
            threading.Thread(target=self._serve, name=f"handler-{self._threads}", daemon=True).start()
        for _ in range(count):
            self._calls.put(None)

    def _serve(self) -> None:
        while True:
            self._idle.append(None)
            self._calls.get()
            self._idle.pop()
            # Cleared before looking: an item that comes later finds it so, and calls again.
            self._called = False
            while (item := self._next()) is not None:
                self._finish(item, self._work(item))

    def _next(self) -> T | None:
        try:
            return self._waiting.popleft()
        except IndexError:
            return None

    def _finish(self, item: T, result: R) -> None:
        self._finished.append((item, result))
        # Read after the append: whoever collects clears it before it looks, so nothing is left behind.
        if not self._collecting:
            self._collecting = True
            # The loop may be closed: then nobody waits for results any more.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._collect)

    def _collect(self) -> None:
        self._collecting = False
        finished = self._finished
        while finished:
            self._done(*finished.popleft())
