"""Runs an agent in this process."""

import asyncio
import logging
import os
import signal
import sys
import threading
import uuid
from typing import TYPE_CHECKING

from batonpass.agent.config import AgentConfig
from batonpass.agent.errors import AgentError
from batonpass.agent.loading import load_handlers
from batonpass.client.errors import BatonpassError

if TYPE_CHECKING:
    from batonpass.agent.agent import Agent
    from batonpass.agent.guard import Guard

log = logging.getLogger(__name__)

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def run(config: AgentConfig) -> int:
    """Runs the agent until SIGTERM or SIGINT, after which running work may end within the grace; again: at
    once.

    Returns the exit code: 0 after a signal, 1 when it had to end for another reason, which is logged.
    """
    if not logging.getLogger().handlers:
        logging.basicConfig(level=logging.INFO, format=_FORMAT, stream=sys.stderr)
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        guard = _guard(config)
        asyncio.run(_run(config, guard))
    except (AgentError, BatonpassError) as error:
        log.error("%s", error)
        return 1
    return 0


async def serve(config: AgentConfig, stop: asyncio.Event | None = None) -> None:
    """Runs the agent in the running event loop until `stop` is set; cancelled, it ends all work at once.

    Raises AgentError when it cannot go on.
    """
    guard = _guard(config)
    agent = _agent(config, guard)
    told = asyncio.create_task(_pass_on(stop, agent)) if stop is not None else None
    try:
        await agent.run()
    finally:
        if told is not None:
            told.cancel()


def _agent(config: AgentConfig, guard: "Guard | None") -> "Agent":
    try:
        handlers = load_handlers(config.handlers)
        from batonpass.agent.agent import Agent

        return Agent(config, handlers, guard)
    except BaseException:
        if guard is not None:
            guard.discard()
        raise


async def _run(config: AgentConfig, guard: "Guard | None") -> None:
    agent = _agent(config, guard)
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, agent.stop)
    await agent.run()


def _guard(config: AgentConfig) -> "Guard | None":
    """The guardian comes before everything else: before gRPC, and before the handlers' own modules."""
    if sys.platform != "linux":
        if config.allow_shell:
            raise AgentError("shell commands need Linux, where they can be kept from outliving their lease")
        return None
    if not (config.allow_shell or config.watchdog):
        return None
    from batonpass.agent.guard import Guard

    return Guard(str(uuid.uuid4()))


async def _pass_on(stop: asyncio.Event, agent: "Agent") -> None:
    await stop.wait()
    agent.stop()
