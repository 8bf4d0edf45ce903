"""Every attempt the agent holds: the rules of the dispatch protocol, without the stream."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from batonpass.agent import clock
from batonpass.agent.attempt import Attempt, Key, Runner, State
from batonpass.agent.credit import Credit
from batonpass.agent.graces import STALE_GRACE, TIMEOUT_GRACE
from batonpass.agent.outbox import Outbox
from batonpass.agent.outcome import Outcome, rejected
from batonpass.queue.v1 import dispatch_service_pb2 as pb

ANSWER_SHARE: Final = 0.6
"""Part of the offer timeout after which an offer that could not be started is declined."""

_NEVER: Final = float("inf")


class Desk:
    """Takes offers, has them run, keeps their results until the queue has them.

    `route` finds the runner for a handler, or None. Everything happens on the event loop; what is to be
    said goes to the outbox. `changed` is set whenever something has ended, was acknowledged or was lost.
    """

    def __init__(
        self,
        route: Callable[[str], Runner | None],
        credit: Credit,
        outbox: Outbox,
        now: Callable[[], float] = clock.now,
    ) -> None:
        self.changed = asyncio.Event()
        self._route = route
        self._credit = credit
        self._outbox = outbox
        self._now = now
        self._attempts: dict[Key, Attempt] = {}
        self._pending: deque[Attempt] = deque()
        self._running = 0
        self._abandoned = 0
        self._closed = ""
        self._answer_within = 6.0

    @property
    def running(self) -> int:
        """Attempts that have not ended, abandoned ones too."""
        return self._running

    @property
    def abandoned(self) -> int:
        """Attempts that still have to end although nobody wants their result any more."""
        return self._abandoned

    @property
    def unacknowledged(self) -> int:
        """Results that the queue has not confirmed."""
        return sum(one.state is State.ENDED for one in self._attempts.values())

    def held(self) -> list[Attempt]:
        """What a Hello lists: running, or ended with a result that is not acknowledged."""
        return [one for one in self._attempts.values() if one.state is not State.PENDING]

    def begin(self, welcome: pb.Welcome, listed: Iterable[Attempt]) -> bool:
        """A session has begun; `listed` is what its Hello named. Says again what the queue may have missed.

        False when the queue counts on an attempt that was abandoned in between: the session is of no use.
        """
        self._outbox.clear()
        kept = {(ref.task, ref.lease_token) for ref in welcome.held}
        for attempt in listed:
            if attempt.key not in kept:
                self._lose(attempt, STALE_GRACE)
            elif attempt.state is State.RUNNING:
                self._outbox.accept(attempt)
            elif attempt.state is State.ENDED:
                self._outbox.result(attempt)
            else:
                return False
        self._answer_within = ANSWER_SHARE * welcome.offer_timeout.ToTimedelta().total_seconds()
        self._credit.begin(welcome.limits.max_tasks)
        self._outbox.ready.set()
        return True

    def end(self) -> None:
        """The session is over: its offers went with it."""
        for attempt in self._pending:
            del self._attempts[attempt.key]
        self._pending.clear()
        self._outbox.clear()

    def offers(self, offers: Sequence[pb.Offer]) -> None:
        """The queue proposes work, most urgent first."""
        self._credit.used(len(offers))
        now = self._now()
        for offer in offers:
            attempt = Attempt(offer, now)
            if self._attempts.setdefault(attempt.key, attempt) is attempt:
                self._pending.append(attempt)
        if self._closed:
            self._decline(list(self._pending), self._closed)
        self._start_pending()

    def revoke(self, refs: Iterable[pb.LeaseRef]) -> None:
        """The queue takes back offers that were not answered; what was started is said again."""
        gone = []
        for ref in refs:
            attempt = self._find(ref)
            if attempt is None or attempt.state is State.PENDING:
                self._forget(attempt)
                gone.append(ref)
            elif attempt.state is State.RUNNING:
                self._outbox.accept(attempt)
            else:
                self._outbox.result(attempt)
        if gone:
            self._outbox.revoked(gone)

    def cancel(self, refs: Iterable[pb.LeaseRef], grace: float) -> None:
        """The queue wants attempts stopped; their end is reported as usual."""
        for ref in refs:
            attempt = self._find(ref)
            if attempt is None:
                continue
            if attempt.state is State.PENDING:
                self._pending.remove(attempt)
                attempt.stopped = "cancel"
                self._report(attempt, Outcome(error="before it was started"))
            elif attempt.state is State.RUNNING:
                attempt.stop("cancel", grace)

    def acknowledged(self, refs: Iterable[pb.LeaseRef]) -> None:
        """Results are stored."""
        attempts = self._attempts
        for ref in refs:
            key = (ref.task, ref.lease_token)
            attempt = attempts.get(key)
            if attempt is not None and attempt.state is State.ENDED:
                del attempts[key]
        self.changed.set()

    def stale(self, refs: Iterable[pb.LeaseRef]) -> None:
        """Attempts are not this agent's any more."""
        for ref in refs:
            attempt = self._find(ref)
            if attempt is not None:
                self._lose(attempt, STALE_GRACE)

    def finished(self, attempt: Attempt, outcome: Outcome | None) -> None:
        """A runner is done with an attempt; None: it was stopped since the lease is over."""
        self._running -= 1
        if attempt.state is State.ABANDONED:
            self._abandoned -= 1
        elif outcome is None:
            attempt.state = State.ABANDONED
            del self._attempts[attempt.key]
        else:
            self._report(attempt, outcome)
        if self._pending:
            self._start_pending()
        self.changed.set()

    def abandon_running(self, grace: float) -> None:
        """Stops everything that runs; it is reported no more, so the queue may give it to others."""
        for attempt in self.held():
            if attempt.state is State.RUNNING:
                self._lose(attempt, grace)

    def abandon(self, grace: float) -> None:
        """Stops and forgets everything."""
        self.end()
        for attempt in self.held():
            self._lose(attempt, grace)

    def close(self, reason: str) -> None:
        """Takes no more offers."""
        self._closed = reason
        self._decline(list(self._pending), reason)

    def tick(self) -> None:
        """Declines offers that were not started in time, and stops attempts that run too long."""
        now = self._now()
        late = [one for one in self._pending if now >= one.offered_at + self._answer_within]
        self._decline(late, "no free slot")
        for attempt in self.held():
            if attempt.state is State.RUNNING and now >= attempt.deadline:
                attempt.deadline = _NEVER
                attempt.stop("timeout", TIMEOUT_GRACE)

    def ask_for_more(self) -> None:
        """Grants credit for what is free."""
        offers = 0 if self._closed else self._credit.top_up(self._running, len(self._pending))
        if offers:
            self._outbox.say(pb.DispatchRequest(credit=pb.Credit(offers=offers)))

    def _start_pending(self) -> None:
        pending = self._pending
        free = self._credit.free_slots(self._running)
        now = self._now()
        while pending and free > 0:
            attempt = pending.popleft()
            template = attempt.offer.template
            runner = self._route(template.handler)
            if runner is None:
                self._report(attempt, rejected(f"this agent does not run {template.handler[:100]!r}"))
                continue
            free -= 1
            self._running += 1
            attempt.state = State.RUNNING
            attempt.runner = runner
            attempt.started_at = now
            attempt.deadline = _NEVER if runner.keeps_time else now + attempt.timeout
            self._outbox.accept(attempt)
            runner.start(attempt)

    def _report(self, attempt: Attempt, outcome: Outcome) -> None:
        attempt.state = State.ENDED
        attempt.outcome = outcome
        self._outbox.result(attempt)

    def _lose(self, attempt: Attempt, grace: float) -> None:
        if attempt.state is State.ABANDONED:
            return
        self._forget(attempt)
        was_running = attempt.state is State.RUNNING
        attempt.state = State.ABANDONED
        if was_running:
            self._abandoned += 1
            attempt.stop("lease", grace)
        self.changed.set()

    def _decline(self, attempts: Sequence[Attempt], reason: str) -> None:
        for attempt in attempts:
            self._forget(attempt)
        if attempts:
            self._outbox.decline([attempt.ref() for attempt in attempts], reason)

    def _forget(self, attempt: Attempt | None) -> None:
        if attempt is not None:
            del self._attempts[attempt.key]
            if attempt.state is State.PENDING:
                self._pending.remove(attempt)

    def _find(self, ref: pb.LeaseRef) -> Attempt | None:
        return self._attempts.get((ref.task, ref.lease_token))
