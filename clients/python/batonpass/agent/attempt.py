"""One attempt in the hands of the agent, from its offer to the acknowledgement of its result."""

from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING, Protocol

from batonpass.agent.context import TaskContext
from batonpass.queue.v1.dispatch_service_pb2 import LeaseRef, Offer

if TYPE_CHECKING:
    from batonpass.agent.outcome import Outcome

Key = tuple[int, int]
"""The queue's handle of the task, and the lease token."""


Finished = Callable[["Attempt", "Outcome | None"], None]
"""How a runner tells the end of an attempt; None: it was stopped since the lease is over."""


class State(IntEnum):
    """Where an attempt is.

    PENDING -> RUNNING -> ENDED (until its result is acknowledged). ABANDONED is one that was running when
    its lease was lost: it is being stopped, and its result is nobody's business.
    """

    PENDING = 1
    RUNNING = 2
    ENDED = 3
    ABANDONED = 4


class Runner(Protocol):
    """Something that runs attempts. It tells the end of each to the desk, exactly once, on the event loop."""

    keeps_time: bool
    """Whether it stops attempts at their timeout by itself."""

    def start(self, attempt: "Attempt") -> None:
        """Starts it."""

    def stop(self, attempt: "Attempt", grace: float) -> None:
        """Asks it to end, and makes it after `grace` seconds where that is possible. May be called again."""


class Attempt:
    """Times are seconds of the agent's lease clock."""

    __slots__ = (
        "context",
        "deadline",
        "key",
        "offer",
        "offered_at",
        "outcome",
        "runner",
        "started_at",
        "state",
        "stopped",
    )

    def __init__(self, offer: Offer, now: float) -> None:
        self.offer = offer
        self.key: Key = (offer.task, offer.lease_token)
        self.state = State.PENDING
        self.offered_at = now
        self.started_at = now
        self.deadline = 0.0
        self.stopped = ""
        self.runner: Runner | None = None
        self.context = TaskContext(offer)
        self.outcome: Outcome | None = None

    @property
    def timeout(self) -> float:
        """Longest time it may run, in seconds."""
        timeout = self.offer.template.timeout
        return timeout.seconds + timeout.nanos * 1e-9

    def ref(self) -> LeaseRef:
        """The lease, as messages name it."""
        task, token = self.key
        return LeaseRef(task=task, lease_token=token)

    def stop(self, reason: str, grace: float) -> None:
        """Asks its runner to stop it; the first reason (`cancel`, `timeout`, `lease`) counts."""
        self.stopped = self.stopped or reason
        self.context.cancel()
        if self.runner is not None:
            self.runner.stop(self, grace)
