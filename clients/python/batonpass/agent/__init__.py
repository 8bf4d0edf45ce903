"""The executor agent, and the worker that registers Python functions with it.

Names are loaded when they are first used, so importing the package costs next to nothing.
"""

from typing import TYPE_CHECKING, Any

from batonpass.lazy import load

if TYPE_CHECKING:
    from batonpass.agent.config import AgentConfig
    from batonpass.agent.context import TaskContext
    from batonpass.agent.errors import AgentError, NonRetryable
    from batonpass.agent.worker import Worker

_HOMES = {
    "config": ("AgentConfig",),
    "context": ("TaskContext",),
    "errors": ("AgentError", "NonRetryable"),
    "worker": ("Worker",),
}

__all__ = ["AgentConfig", "AgentError", "NonRetryable", "TaskContext", "Worker"]


def __getattr__(name: str) -> Any:
    return load(__name__, _HOMES, name)


def __dir__() -> list[str]:
    return __all__
