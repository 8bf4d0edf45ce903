"""The agent as a process of its own: signals, and what it leaves behind."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.fake_dispatch import FakeDispatch, Terms
from tests.unit.agent.conftest import Marked

pytestmark = pytest.mark.alone

HANDLERS = """
import time
from batonpass import Worker

worker = Worker()

@worker.handler("hold")
def hold(task):
    if task.json():
        # Holds the GIL, as a long computation in C does.
        pow(7, 10_000_000_000_000 ** 400, 10 ** 4000)
    time.sleep(100)
"""


@pytest.fixture
def marked():
    made = Marked()
    yield made
    made.clean()


@asynccontextmanager
async def agent(*options: str, cwd: Path = Path()) -> AsyncIterator[Process]:
    """`python -m batonpass.agent`, killed at the end."""
    env = {**os.environ, "PYTHONPATH": ":".join(os.path.abspath(path) for path in sys.path if path)}
    words = [sys.executable, "-m", "batonpass.agent", "--name", "a1", *options]
    process = await asyncio.create_subprocess_exec(*words, env=env, cwd=cwd, stderr=asyncio.subprocess.PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def handlers_agent(folder: Path, terms: Terms) -> AsyncIterator[tuple[FakeDispatch, Process]]:
    """A queue, and an agent with the handlers above."""
    (folder / "held.py").write_text(HANDLERS)
    async with FakeDispatch(terms) as fake:
        options = ("--queue", fake.target, "--handlers", "held:worker")
        async with agent(*options, cwd=folder) as process:
            yield fake, process


async def exit_code(process: Process) -> int:
    async with asyncio.timeout(20):
        return await process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_running_work_end(fake, number):
    async with agent("--queue", fake.target, "--allow-shell") as process:
        session = await fake.session()
        offer = fake.task("sleep 0.5; echo done")
        session.offer(offer)
        await session.accept(offer)
        process.send_signal(number)
        assert (await session.result(offer)).report.output_tail == "done\n"
        assert await exit_code(process) == 0
        assert session.goodbye is not None


async def test_a_second_signal_ends_it_at_once(fake, marked):
    async with agent("--queue", fake.target, "--allow-shell") as process:
        session = await fake.session()
        offer = fake.task(f"trap '' TERM; {marked.sleep}")
        session.offer(offer)
        await session.accept(offer)
        await asyncio.to_thread(marked.appear, 1)
        process.send_signal(signal.SIGTERM)
        await session.until(lambda: len(session.beats) >= 3)
        process.send_signal(signal.SIGTERM)
        assert await exit_code(process) == 0
        assert marked.alive() == []
        assert session.results == {}


async def test_an_agent_killed_with_9_leaves_nothing(fake, marked):
    async with agent("--queue", fake.target, "--allow-shell") as process:
        session = await fake.session()
        offer = fake.task(f"trap '' TERM; setsid {marked.sleep} & {marked.sleep}")
        session.offer(offer)
        await asyncio.to_thread(marked.appear, 2)
        process.kill()
        await process.wait()
        await asyncio.to_thread(marked.vanish, 5)


async def test_an_agent_whose_handler_outlives_the_lease_is_killed(tmp_path):
    """The function cannot be stopped, and the queue gives its task to others: so the process has to go."""
    async with handlers_agent(tmp_path, Terms(heartbeat=0.2, ttl=1)) as (fake, process):
        session = await fake.session()
        offer = fake.task("name:hold")
        session.offer(offer)
        await session.accept(offer)
        fake.acknowledges_beats = fake.welcomes = False
        assert await exit_code(process) == -signal.SIGKILL


async def test_a_handler_that_holds_the_interpreter_does_not_keep_its_lease(tmp_path):
    """No heartbeat gets out, and the agent cannot notice: the guardian does."""
    async with handlers_agent(tmp_path, Terms(heartbeat=0.2, ttl=1)) as (fake, process):
        session = await fake.session()
        session.offer(fake.task("name:hold", payload=b"true"))
        assert await exit_code(process) == -signal.SIGKILL
        assert session.results == {}


async def test_an_idle_agent_survives_a_long_silence(tmp_path):
    """With nothing in its hands there is nothing to protect."""
    async with handlers_agent(tmp_path, Terms(heartbeat=0.2, ttl=1)) as (fake, process):
        await fake.session()
        fake.acknowledges_beats = fake.welcomes = False
        silent = await fake.session(2)
        await asyncio.sleep(3)
        assert process.returncode is None
        fake.acknowledges_beats = fake.welcomes = True
        silent.end()
        await fake.session(3)


async def test_failures_are_said_in_one_line(tmp_path):
    async with agent("--queue", "10.1.2.3:1", "--allow-shell") as process:
        assert await exit_code(process) == 1
        said = (await process.stderr.read()).decode()
    assert "needs TLS" in said
    assert "Traceback" not in said


async def test_a_wrong_command_line_is_exit_code_2():
    async with agent("--concurrency", "0") as process:
        assert await exit_code(process) == 2
        assert b"concurrency" in await process.stderr.read()


async def test_one_name_is_one_agent(fake):
    """The older of two ends with exit code 1 when the queue says so."""
    async with agent("--queue", fake.target) as process:
        session = await fake.session()
        session.send(superseded={"session_epoch": 2})
        session.end()
        assert await exit_code(process) == 1
        assert b"'a1'" in await process.stderr.read()
