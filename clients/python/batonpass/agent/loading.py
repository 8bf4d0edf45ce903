"""Finds the handlers that an agent is to run."""

import importlib
import os
import sys
from collections.abc import Sequence

from batonpass.agent.errors import AgentError
from batonpass.agent.worker import Handler, Worker


def load_handlers(given: Sequence[Worker | str] | Worker | str) -> dict[str, Handler]:
    """The handlers of one worker or several, by name.

    A worker may be named `module:name` (`module` alone means its `worker`); modules are also looked for in
    the working directory. Raises AgentError for one that cannot be loaded, and for a handler name that two
    of them have.
    """
    workers = [given] if isinstance(given, Worker | str) else given
    handlers: dict[str, Handler] = {}
    for worker in workers:
        found = _worker(worker) if isinstance(worker, str) else worker
        twice = handlers.keys() & found.handlers.keys()
        if twice:
            raise AgentError(f"two handlers are called {min(twice)!r}")
        handlers |= found.handlers
    return handlers


def _worker(written: str) -> Worker:
    module, _, name = written.partition(":")
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found = getattr(importlib.import_module(module), name or "worker")
    except (ImportError, AttributeError, ValueError) as error:
        raise AgentError(f"handlers {written!r}: {error}") from error
    if not isinstance(found, Worker):
        raise AgentError(f"handlers {written!r}: is a {type(found).__name__}, not a batonpass.Worker")
    return found
