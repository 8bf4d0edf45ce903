"""Executors as they are known: what they run, may use and do use."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from queue_service.domain.admission import Use
from queue_service.domain.handler import PREFIX, HandlerKind
from queue_service.domain.limits import Limits


@dataclass(frozen=True, slots=True)
class Load:
    """Measured load of a host, in hundredths of a percent."""

    cpu: int
    memory: int


@dataclass(frozen=True, slots=True)
class Executor:
    """An agent's registration, or a pull client that has leased before.

    `online` says that its session is alive; of a pull client, which has none, that it holds a lease.
    `limits` are those in force, `own_limits` says whether any of them is its own.
    """

    id: int
    name: str
    pull: bool
    online: bool
    session: int
    handlers: tuple[str, ...]
    allows_shell: bool
    allows_http: bool
    labels: Mapping[str, str]
    cpu_count: int
    memory_bytes: int
    version: str
    limits: Limits
    own_limits: bool
    use: Use
    load: Load | None
    seen_at: datetime

    @property
    def handler_keys(self) -> frozenset[str]:
        """The handler keys of the lanes it serves."""
        keys = {PREFIX + name for name in self.handlers}
        if self.allows_shell:
            keys.add(HandlerKind.SHELL.value)
        if self.allows_http:
            keys.add(HandlerKind.HTTP.value)
        return frozenset(keys)
