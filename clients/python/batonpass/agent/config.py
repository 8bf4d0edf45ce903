"""How an agent is set up."""

import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from batonpass.agent.errors import AgentError
from batonpass.client.endpoints import TlsFiles

if TYPE_CHECKING:
    from batonpass.agent.worker import Worker

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


def default_name() -> str:
    """The host's name, made fit for an executor's."""
    host = re.sub(r"[^A-Za-z0-9_.-]", "-", socket.gethostname()).lstrip("_.-")[:63]
    return host or "agent"


@dataclass(frozen=True, kw_only=True)
class AgentConfig:
    """Everything about one agent.

    `queue` is the queue service's HOST:PORT (None: looked up as the client does). `handlers` is a Worker,
    or `module:name` of one. `concurrency` bounds attempts at a time and becomes the executor's own task
    limit (None: the limit in force at the queue, also when it is changed later). `grace` is how long
    running work may go on after SIGTERM. `watchdog` False leaves handlers that hang beyond their lease
    alive, which gives up the promise that a task never runs twice at a time; it is for debuggers.
    """

    name: str = field(default_factory=default_name)
    queue: str | None = None
    namespace: str | None = None
    actor: str | None = None
    tls: TlsFiles | None = None
    allow_shell: bool = False
    allow_http: bool = False
    handlers: "Sequence[Worker | str] | Worker | str" = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    concurrency: int | None = None
    grace: timedelta = timedelta(seconds=30)
    watchdog: bool = True

    def __post_init__(self) -> None:
        """Raises AgentError naming what is wrong."""
        if not _NAME.fullmatch(self.name):
            raise AgentError(
                f"name {self.name!r}: at most 63 letters, digits and `_.-`, no `_.-` at the start"
            )
        if self.concurrency is not None and not 1 <= self.concurrency <= 100_000:
            raise AgentError(f"concurrency {self.concurrency}: must be 1 to 100,000")
        if self.grace < timedelta(0):
            raise AgentError("grace: must not be negative")
