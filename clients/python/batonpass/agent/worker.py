"""Python functions as handlers of tasks."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from batonpass.agent.config import AgentConfig, default_name
from batonpass.agent.errors import AgentError
from batonpass.client.endpoints import TlsFiles

if TYPE_CHECKING:
    import asyncio

    from batonpass.agent.context import TaskContext

Handler = Callable[["TaskContext"], Any]
Function = TypeVar("Function", bound=Handler)


class Worker:
    """A set of handlers, and an agent that runs them.

        worker = Worker(concurrency=8)

        @worker.handler("resize")
        def resize(task: TaskContext) -> None:
            image = task.json()["image"]

        worker.run()

    A task with the handler `name:resize` runs the function: a plain one in a thread, a coroutine function
    on the event loop. Returning is success, the value is ignored. An exception is a failed attempt, which
    the retry policy answers; `NonRetryable` fails the task for good. Arguments are those of `AgentConfig`.
    """

    def __init__(
        self,
        queue: str | None = None,
        name: str | None = None,
        *,
        concurrency: int | None = None,
        namespace: str | None = None,
        actor: str | None = None,
        tls: TlsFiles | None = None,
        labels: Mapping[str, str] | None = None,
        grace: timedelta = timedelta(seconds=30),
        watchdog: bool = True,
    ) -> None:
        self.handlers: dict[str, Handler] = {}
        self.config = AgentConfig(
            name=name or default_name(),
            queue=queue,
            namespace=namespace,
            actor=actor,
            tls=tls,
            labels=labels or {},
            concurrency=concurrency,
            grace=grace,
            watchdog=watchdog,
        )

    def handler(self, name: str) -> Callable[[Function], Function]:
        """Registers a function for tasks with the handler `name:NAME`.

        Raises AgentError for a name that is taken.
        """
        if not 1 <= len(name) <= 128:
            raise AgentError(f"handler name {name!r}: must have 1 to 128 characters")

        def register(function: Function) -> Function:
            if name in self.handlers:
                raise AgentError(f"two handlers are called {name!r}")
            self.handlers[name] = function
            return function

        return register

    def run(self) -> int:
        """Runs the agent until SIGTERM or SIGINT, after which running work may end within the grace.

        Returns the exit code: 0 after a signal, 1 when it had to end for another reason, which is logged.
        """
        from batonpass.agent.main import run

        return run(replace(self.config, handlers=self))

    async def serve(self, stop: "asyncio.Event | None" = None) -> None:
        """Runs the agent in the running event loop until `stop` is set, as `run` does until a signal.

        Cancelled, it ends all work at once. Raises AgentError when it cannot go on.
        """
        from batonpass.agent.main import serve

        await serve(replace(self.config, handlers=self), stop)


def is_coroutine(handler: Handler) -> bool:
    """True for a function that is to be awaited; also for an object that is called like one."""
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(type(handler).__call__)
