"""What a handler is told about its task."""

import json
import threading
from datetime import UTC, datetime
from typing import Any

from batonpass.queue.v1.dispatch_service_pb2 import Offer


class TaskContext:
    """One attempt of one task, as its handler sees it.

    `attempt` counts from 1 within its `chain`; `lease_token` rises from attempt to attempt and fences what
    the handler writes elsewhere; `schedule_id` is empty and `nominal_time` None for a task that no schedule
    made.
    """

    __slots__ = ("_cancelled", "_event", "_offer")

    def __init__(self, offer: Offer) -> None:
        self._offer = offer
        self._cancelled = False
        self._event: threading.Event | None = None

    @property
    def task_id(self) -> str:
        """Identity of the task; the same in every attempt, so it serves as an idempotency key."""
        return self._offer.task_id

    @property
    def attempt(self) -> int:
        """1 = first."""
        return self._offer.attempt

    @property
    def chain(self) -> int:
        """1 = first."""
        return self._offer.chain

    @property
    def lease_token(self) -> int:
        """Proof of the lease."""
        return self._offer.lease_token

    @property
    def handler(self) -> str:
        """Name of the handler."""
        return self._offer.template.handler.removeprefix("name:")

    @property
    def queue(self) -> str:
        """Named queue of the task."""
        return self._offer.template.queue

    @property
    def payload(self) -> bytes:
        """The task's input."""
        return self._offer.template.payload

    @property
    def schedule_id(self) -> str:
        """Schedule that made the task."""
        return self._offer.schedule_id

    @property
    def nominal_time(self) -> datetime | None:
        """The instant the schedule came due for."""
        if not self._offer.HasField("nominal_time"):
            return None
        return self._offer.nominal_time.ToDatetime(UTC)

    @property
    def cancelled(self) -> threading.Event:
        """Set when the attempt is to stop: a cancel, its timeout, or the end of the lease. Handlers that
        run long look at it, or wait for it instead of sleeping; coroutines are cancelled as well.
        """
        event = self._event
        if event is None:
            event = self._event = threading.Event()
            # `cancel` may have run between the two lines above: then it saw no event to set.
            if self._cancelled:
                event.set()
        return event

    def json(self) -> Any:
        """The payload as JSON; None when it is empty. Raises ValueError when it is none."""
        return json.loads(self.payload) if self.payload else None

    def cancel(self) -> None:
        """Tells the handler to stop. Called by the agent."""
        self._cancelled = True
        if self._event is not None:
            self._event.set()
