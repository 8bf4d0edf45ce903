"""Everything an agent can run, found by the task's handler."""

from collections.abc import Callable, Mapping

from batonpass.agent.attempt import Finished, Runner
from batonpass.agent.commands import CommandRunner
from batonpass.agent.guard import Guard
from batonpass.agent.handlers import CoroutineRunner, FunctionRunner, by_kind
from batonpass.agent.http_calls import HttpRunner
from batonpass.agent.worker import Handler


class Runners:
    """Routes by the handler grammar: `name:NAME` is registered, `http(s)://` is called, anything else is a
    command.
    """

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        guard: Guard | None,
        finished: Finished,
        starting: Callable[[], None],
        lost_work: Callable[[], None],
        *,
        allow_shell: bool,
        allow_http: bool,
        threads: int,
    ) -> None:
        functions, coroutines = by_kind(handlers)
        in_threads = FunctionRunner(functions, finished, starting, threads)
        on_loop = CoroutineRunner(coroutines, finished, starting)
        self._registered: dict[str, Runner] = dict.fromkeys(functions, in_threads)
        self._registered |= dict.fromkeys(coroutines, on_loop)
        self._http = HttpRunner(finished, starting, threads) if allow_http else None
        self._commands = CommandRunner(guard, finished, lost_work) if guard is not None else None
        self._shell = self._commands if allow_shell else None

    def route(self, handler: str) -> Runner | None:
        """The runner for a handler; None when this agent has none."""
        found = self._registered.get(handler)
        if found is not None:
            return found
        if not handler or handler.startswith("name:"):
            return None
        if handler.startswith(("http://", "https://")):
            return self._http
        return self._shell

    @property
    def commands(self) -> int:
        """Commands that have not ended."""
        return self._commands.running if self._commands is not None else 0
