"""Runs registered Python functions."""

import asyncio
import inspect
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Final

from batonpass.agent.attempt import Attempt, Finished
from batonpass.agent.errors import NonRetryable
from batonpass.agent.outcome import HANDLER, OUTPUT_BYTES, Outcome
from batonpass.agent.threads import Threads
from batonpass.agent.worker import Handler, is_coroutine

_PREFIX: Final = "name:"


class FunctionRunner:
    """Plain functions, in threads. A thread cannot be stopped: its function is told, and ends when it likes.

    `starting` is called before each start.
    """

    keeps_time = False

    def __init__(
        self, handlers: Mapping[str, Handler], finished: Finished, starting: Callable[[], None], threads: int
    ) -> None:
        self._handlers = handlers
        self._starting = starting
        self._threads = Threads(self._run, finished, threads)

    def start(self, attempt: Attempt) -> None:
        self._starting()
        self._threads.submit(attempt)

    def stop(self, attempt: Attempt, grace: float) -> None:
        """The context says it already."""

    def _run(self, attempt: Attempt) -> Outcome:
        began = time.monotonic()
        try:
            returned = self._handlers[attempt.offer.template.handler](attempt.context)
            if inspect.iscoroutine(returned):
                returned.close()
                raise TypeError("the handler returned a coroutine: register a function made with `async def`")
        except BaseException as error:
            return _failure(error, time.monotonic() - began)
        return Outcome(duration=time.monotonic() - began)


class CoroutineRunner:
    """Coroutine functions, on the event loop. They are cancelled to stop them."""

    keeps_time = False

    def __init__(
        self, handlers: Mapping[str, Handler], finished: Finished, starting: Callable[[], None]
    ) -> None:
        self._handlers = handlers
        self._starting = starting
        self._finished = finished
        self._loop = asyncio.get_running_loop()
        self._tasks: dict[Attempt, asyncio.Task[None]] = {}

    def start(self, attempt: Attempt) -> None:
        self._starting()
        self._tasks[attempt] = self._loop.create_task(self._run(attempt))

    def stop(self, attempt: Attempt, grace: float) -> None:
        task = self._tasks.get(attempt)
        if task is not None:
            task.cancel()
            task.add_done_callback(lambda _: self._never_began(attempt))

    async def _run(self, attempt: Attempt) -> None:
        began = time.monotonic()
        try:
            await self._handlers[attempt.offer.template.handler](attempt.context)
            outcome = Outcome(duration=time.monotonic() - began)
        except BaseException as error:
            outcome = _failure(error, time.monotonic() - began)
        del self._tasks[attempt]
        self._finished(attempt, outcome)

    def _never_began(self, attempt: Attempt) -> None:
        """A task that is cancelled before its first step does not enter its coroutine, which would report."""
        if self._tasks.pop(attempt, None) is not None:
            self._finished(attempt, _failure(asyncio.CancelledError(), 0.0))


def by_kind(handlers: Mapping[str, Handler]) -> tuple[dict[str, Handler], dict[str, Handler]]:
    """(functions, coroutine functions), by `name:NAME`."""
    functions: dict[str, Handler] = {}
    coroutines: dict[str, Handler] = {}
    for name, handler in handlers.items():
        (coroutines if is_coroutine(handler) else functions)[_PREFIX + name] = handler
    return functions, coroutines


def _failure(error: BaseException, duration: float) -> Outcome:
    """The error in one line, and where it came from as the output; the first frame is the agent's own."""
    frames = error.__traceback__.tb_next if error.__traceback__ else None
    trace = "".join(traceback.format_exception(type(error), error, frames))
    text = str(error)
    return Outcome(
        category=HANDLER,
        duration=duration,
        exit_code=1,
        error=f"{type(error).__name__}: {text}" if text else type(error).__name__,
        output=trace[-OUTPUT_BYTES:],
        non_retryable=isinstance(error, NonRetryable),
    )
