"""Background loops that survive trouble."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta

from service_kit.errors import Unavailable
from service_kit.logs import logger

log = logger(__name__)

FIRST_BACKOFF = timedelta(milliseconds=100)
LONGEST_BACKOFF = timedelta(seconds=5)


def backoff(failures: int, jitter: float) -> timedelta:
    """Wait after `failures` failed tries in a row (1 = first failure).

    The ceiling doubles from 0.2 s to 5 s; `jitter` in [0, 1) picks the point in its upper half, so replicas
    that failed together do not return together, and none of them spins.
    """
    ceiling = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2.0 ** min(failures, 16))
    return ceiling * (0.5 + jitter / 2)


class Loop:
    """Calls `step` for ever: one piece of work, then a wait.

    `step` returns the seconds until it wants to run again (0 = at once), or None when it does not know. It
    runs after `interval` at the latest: what other replicas do may come without a word. A set `wake` ends the
    wait early; it is cleared before each step, so what arrives during a step causes another one.
    Unavailable (and what `also_expected` names) and any other exception are logged once per change and met
    with backoff; the loop itself ends only by `stop` or cancellation.
    """

    def __init__(
        self,
        name: str,
        step: Callable[[], Awaitable[float | None]],
        interval: timedelta,
        wake: asyncio.Event | None = None,
        also_expected: tuple[type[Exception], ...] = (),
    ) -> None:
        self.name = name
        self.wake = wake or asyncio.Event()
        self._step = step
        self._interval = interval
        self._expected: tuple[type[Exception], ...] = (Unavailable, *also_expected)
        self._stopping = asyncio.Event()
        self._failures = 0
        self._trouble: str | None = None

    async def run(self) -> None:
        """Returns after `stop`, when the step under way has ended."""
        while not self._stopping.is_set():
            self.wake.clear()
            wait = await self._guarded_step()
            if not self._stopping.is_set():
                await self._rest(wait)

    def stop(self) -> None:
        """Ends the loop after the step under way."""
        self._stopping.set()

    async def _guarded_step(self) -> float:
        try:
            wait = await self._step()
        except Exception as error:
            self._failures += 1
            self._report(error)
            return backoff(self._failures, random.random()).total_seconds()
        if self._trouble is not None:
            log.info("loop recovered", loop=self.name, failures=self._failures)
        self._failures, self._trouble = 0, None
        longest = self._interval.total_seconds()
        return longest if wait is None else min(wait, longest)

    def _report(self, error: Exception) -> None:
        trouble = f"{type(error).__name__}: {error}"
        if trouble == self._trouble:
            return
        self._trouble = trouble
        if isinstance(error, self._expected):
            log.warning("loop waits", loop=self.name, reason=trouble)
        else:
            log.error("loop failed", loop=self.name, exc_info=error)

    async def _rest(self, seconds: float) -> None:
        """Waits for the time, `wake` or `stop`; in trouble `wake` does not shorten the backoff."""
        signals = [self._stopping] if self._failures else [self._stopping, self.wake]
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        waits = [asyncio.ensure_future(signal.wait()) for signal in signals]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()


async def run_all(loops: Iterable[Loop]) -> None:
    """Runs the loops until this is cancelled; then stops them and waits for the steps under way to end."""
    loops = list(loops)
    tasks = [asyncio.create_task(loop.run(), name=f"loop-{loop.name}") for loop in loops]
    try:
        await asyncio.gather(*(asyncio.shield(task) for task in tasks))
    finally:
        for loop in loops:
            loop.stop()
        await asyncio.wait(tasks)
