"""What the agent has to say, gathered until the stream takes it."""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Final

from batonpass.agent.attempt import Attempt, State
from batonpass.agent.outcome import write_result
from batonpass.queue.v1.dispatch_service_pb2 import Accept, Decline, DispatchRequest, LeaseRef, RevokeAck

ACCEPT_DELAY: Final = 0.002
"""Seconds an Accept waits for the attempt's result, which says it as well and spares the queue a write."""

MOST_ITEMS: Final = 5_000
MOST_BYTES: Final = 512 * 1024


class Outbox:
    """Everything said within one turn of the event loop goes out together, one message per kind."""

    def __init__(self) -> None:
        self.ready = asyncio.Event()
        self._accepts: deque[tuple[float, Attempt]] = deque()
        self._results: deque[Attempt] = deque()
        self._declines: dict[str, list[LeaseRef]] = {}
        self._revoke_acks: list[LeaseRef] = []
        self._others: list[DispatchRequest] = []
        self._timer: asyncio.TimerHandle | None = None

    def accept(self, attempt: Attempt) -> None:
        """The attempt was started."""
        loop = asyncio.get_running_loop()
        self._accepts.append((loop.time() + ACCEPT_DELAY, attempt))
        if self._timer is None:
            self._timer = loop.call_later(ACCEPT_DELAY, self.ready.set)

    def result(self, attempt: Attempt) -> None:
        """The attempt has ended."""
        self._results.append(attempt)
        self.ready.set()

    def decline(self, refs: Iterable[LeaseRef], reason: str) -> None:
        """Offers are not wanted."""
        self._declines.setdefault(reason, []).extend(refs)
        self.ready.set()

    def revoked(self, refs: Iterable[LeaseRef]) -> None:
        """Revoked offers were not started and will not be."""
        self._revoke_acks.extend(refs)
        self.ready.set()

    def say(self, message: DispatchRequest) -> None:
        """Anything else, in the order of saying."""
        self._others.append(message)
        self.ready.set()

    def clear(self) -> None:
        """Forgets everything: the stream it was meant for is over."""
        for kept in (self._accepts, self._results, self._declines, self._revoke_acks, self._others):
            kept.clear()
        self._stop_timer()
        self.ready.clear()

    def take(self, now: float) -> list[DispatchRequest]:
        """Messages to send now, beats first; `now` is the event loop's clock.

        What is left sets `ready` in time.
        """
        self.ready.clear()
        messages, self._others = self._others, []
        messages += self._take_accepts(now)
        while self._results:
            results = self._take_results()
            if results.results.results:
                messages.append(results)
        if self._revoke_acks:
            acks, self._revoke_acks = self._revoke_acks, []
            messages += [DispatchRequest(revoke_ack=RevokeAck(leases=part)) for part in _parts(acks)]
        if self._declines:
            declines, self._declines = self._declines, {}
            messages += [
                DispatchRequest(decline=Decline(leases=part, reason=reason))
                for reason, refs in declines.items()
                for part in _parts(refs)
            ]
        return messages

    def _take_accepts(self, now: float) -> list[DispatchRequest]:
        self._stop_timer()
        due = []
        while self._accepts and self._accepts[0][0] <= now:
            _, attempt = self._accepts.popleft()
            if attempt.state is State.RUNNING:
                due.append(attempt.ref())
        if self._accepts:
            self._timer = asyncio.get_running_loop().call_later(self._accepts[0][0] - now, self.ready.set)
        return [DispatchRequest(accept=Accept(leases=part)) for part in _parts(due)]

    def _take_results(self) -> DispatchRequest:
        request, size = DispatchRequest(), 0
        add = request.results.results.add
        for _ in range(min(len(self._results), MOST_ITEMS)):
            attempt = self._results.popleft()
            outcome = attempt.outcome
            if attempt.state is not State.ENDED or outcome is None:
                continue
            write_result(attempt, outcome, add())
            size += outcome.size()
            if size > MOST_BYTES:
                break
        return request

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _parts(refs: list[LeaseRef]) -> list[list[LeaseRef]]:
    return [refs[at : at + MOST_ITEMS] for at in range(0, len(refs), MOST_ITEMS)]
