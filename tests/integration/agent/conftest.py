"""An agent in this process, against a fake queue."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from batonpass.agent.config import AgentConfig
from batonpass.agent.context import TaskContext
from batonpass.agent.main import serve
from batonpass.agent.worker import Worker

from tests.support.fake_dispatch import DEADLINE, FakeDispatch


class Running:
    """A running agent."""

    def __init__(self, config: AgentConfig) -> None:
        self.stop = asyncio.Event()
        self.task = asyncio.create_task(serve(config, self.stop))
        self.was_awaited = False

    async def ended(self) -> None:
        """Returns when the agent has ended; raises what it raised."""
        self.was_awaited = True
        async with asyncio.timeout(DEADLINE):
            await asyncio.shield(self.task)


Start = Callable[..., Running]


@pytest.fixture
async def fake() -> AsyncIterator[FakeDispatch]:
    async with FakeDispatch() as fake:
        yield fake


@pytest.fixture
async def start(fake: FakeDispatch) -> AsyncIterator[Start]:
    """Starts an agent for the fake queue: `start(worker, allow_shell=True, ...)`.

    Without watchdog by default: it would kill the tests' own process when a handler outlives the lease.
    """
    running: list[Running] = []
    usual = AgentConfig(name="a1", watchdog=False, grace=timedelta(seconds=10))

    def begin(worker: Worker | None = None, **changes: Any) -> Running:
        config = replace(usual, **{"queue": fake.target, "handlers": worker or (), **changes})
        running.append(Running(config))
        return running[-1]

    yield begin
    unexpected = [agent.task for agent in running if agent.task.done() and not agent.was_awaited]
    for agent in running:
        agent.task.cancel()
    await asyncio.gather(*(agent.task for agent in running), return_exceptions=True)
    for task in unexpected:
        task.result()


class Handlers(Worker):
    """`noop` returns at once; `wait` is a coroutine that waits for `go`; `block` a function that waits for
    its cancel, and then, when it is stubborn, for `release`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.runs = 0
        self.go = asyncio.Event()
        self.stopped = asyncio.Event()
        self.is_stubborn = False
        self.saw_cancel = threading.Event()
        self.release = threading.Event()
        self.handler("noop")(lambda task: None)
        self.handler("wait")(self.wait)
        self.handler("block")(self.block)

    async def wait(self, task: TaskContext) -> None:
        self.runs += 1
        try:
            await self.go.wait()
        finally:
            self.stopped.set()

    def block(self, task: TaskContext) -> None:
        task.cancelled.wait(DEADLINE)
        self.saw_cancel.set()
        if self.is_stubborn:
            self.release.wait(DEADLINE)


@pytest.fixture
async def worker() -> AsyncIterator[Handlers]:
    handlers = Handlers()
    yield handlers
    handlers.release.set()
