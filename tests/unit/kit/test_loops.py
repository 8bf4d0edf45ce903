"""Background loops."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service_kit.errors import Unavailable
from service_kit.loops import Loop, backoff, run_all

NEVER = timedelta(days=1)


class Steps:
    """A step that plays its script, then sets `done`."""

    def __init__(self, script: Iterable[float | Exception | None]) -> None:
        self.script = list(script)
        self.calls = 0
        self.done = asyncio.Event()

    async def __call__(self) -> float | None:
        self.calls += 1
        if not self.script:
            self.done.set()
            return None
        action = self.script.pop(0)
        if isinstance(action, Exception):
            raise action
        return action


async def run_until_done(loop: Loop, steps: Steps) -> None:
    task = asyncio.create_task(loop.run())
    async with asyncio.timeout(5):
        await steps.done.wait()
    loop.stop()
    await task


async def test_step_that_wants_more_is_called_again_at_once() -> None:
    steps = Steps([0, 0, 0])
    await run_until_done(Loop("test", steps, NEVER), steps)
    assert steps.calls == 4


async def test_step_that_knows_of_nothing_for_long_is_called_after_the_interval_all_the_same() -> None:
    steps = Steps([3600])
    await run_until_done(Loop("test", steps, timedelta(milliseconds=1)), steps)
    assert steps.calls == 2


async def test_wake_ends_the_wait() -> None:
    steps = Steps([None])
    loop = Loop("test", steps, NEVER)
    asyncio.get_running_loop().call_later(0.02, loop.wake.set)
    await run_until_done(loop, steps)
    assert steps.calls == 2


async def test_wake_during_a_step_causes_another_step() -> None:
    steps = Steps([None])
    loop = Loop("test", steps, NEVER)
    inner = steps.__call__

    async def step() -> float | None:
        if steps.calls == 0:
            loop.wake.set()
        return await inner()

    loop = Loop("test", step, NEVER, loop.wake)
    await run_until_done(loop, steps)
    assert steps.calls == 2


async def test_trouble_is_survived_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    steps = Steps([Unavailable("away"), Unavailable("away"), RuntimeError("bug")])
    await run_until_done(Loop("test", steps, NEVER), steps)
    said = [record for record in caplog.messages if "away" in record]
    assert len(said) <= 1
    assert steps.calls == 4


async def test_run_all_stops_every_loop_after_its_step() -> None:
    finished: list[str] = []
    started = asyncio.Event()

    async def slow() -> None:
        started.set()
        await asyncio.sleep(0.05)
        finished.append("slow")

    loops = [Loop("slow", slow, NEVER), Loop("quick", Steps([]), NEVER)]
    running = asyncio.create_task(run_all(loops))
    await started.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert finished == ["slow"]


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_backoff_grows_and_stays_within_its_bounds(failures: int, jitter: float) -> None:
    wait = backoff(failures, jitter)
    assert timedelta(milliseconds=100) <= wait <= timedelta(seconds=5)
    assert backoff(failures + 1, jitter) >= wait
