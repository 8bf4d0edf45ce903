"""Leases as an agent sees them."""

from datetime import datetime
from typing import NamedTuple


class Ref(NamedTuple):
    """One lease, as agents name it."""

    task: int
    token: int


class Lease(NamedTuple):
    """A task won for an executor, with all that its offer says.

    `cpu` and `memory` in hundredths of a percent. `payload` is None when it is empty or, with
    `payload_is_apart`, when it is too long to come along.
    """

    task: int
    token: int
    executor: int
    attempt: int
    cpu: int
    memory: int
    chain: int
    task_id: str
    queue: str
    handler: str
    name: str
    priority: int
    timeout_ms: int
    retry_policy: str
    circuit_breaker: str
    schedule_id: str | None
    nominal_at: datetime | None
    payload: bytes | None
    payload_is_apart: bool | None

    @property
    def ref(self) -> Ref:
        """Its name."""
        return Ref(self.task, self.token)

    @property
    def size(self) -> int:
        """About how many bytes its offer takes."""
        return 200 + len(self.handler) + len(self.payload or b"")
