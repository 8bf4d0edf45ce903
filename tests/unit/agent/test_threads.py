"""Threads for handlers: few for quick work, one each for work that blocks."""

import asyncio
import threading

from batonpass.agent.threads import Threads

DEADLINE = 20


class Work:
    """Counts what is done, and by how many threads."""

    def __init__(self, function, most=1_000):
        self.used = set()
        self.done = []
        self._function = function
        self._all = asyncio.Event()
        self._expected = 0
        self.threads = Threads(self._run, self._finished, most)

    async def submit(self, items):
        items = list(items)
        self._expected += len(items)
        self._all.clear()
        for item in items:
            self.threads.submit(item)
        async with asyncio.timeout(DEADLINE):
            await self._all.wait()

    def _run(self, item):
        self.used.add(threading.current_thread())
        return self._function(item)

    def _finished(self, item, result):
        self.done.append((item, result))
        if len(self.done) == self._expected:
            self._all.set()


async def test_every_item_is_done_once_and_told_on_the_loop():
    work = Work(lambda item: item * 2)
    for _ in range(20):
        await work.submit(range(100))
    assert sorted(work.done) == sorted((item, item * 2) for item in range(100) for _ in range(20))


async def test_quick_work_is_done_by_few_threads():
    work = Work(lambda item: None)
    for _ in range(50):
        await work.submit(range(100))
    assert len(work.used) < 20


async def test_blocking_work_gets_a_thread_each():
    together = threading.Barrier(50)
    work = Work(lambda item: together.wait(DEADLINE))
    await work.submit(range(50))
    assert len(work.used) == 50


async def test_idle_threads_are_used_again():
    together = threading.Barrier(10)
    work = Work(lambda item: together.wait(DEADLINE))
    for _ in range(5):
        await work.submit(range(10))
    assert len(work.used) < 20


async def test_there_are_never_more_threads_than_allowed():
    work = Work(lambda item: threading.Event().wait(0.005), most=3)
    await work.submit(range(30))
    assert len(work.used) <= 3
