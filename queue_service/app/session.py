"""One session of one executor: what its agent says, and what follows."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from queue_service.app.completion import Completion
from queue_service.app.heartbeats import Alive, Heartbeats, Over
from queue_service.app.hold_book import HoldBook
from queue_service.app.leasebook import LeaseBook, WaitedIn
from queue_service.app.messages import HeartbeatAck, Message, Offers, Superseded
from queue_service.app.outbox import Outbox
from queue_service.app.persistence import Persistence
from queue_service.app.starts import Starts
from queue_service.domain.ending import Finished, How, Stale
from queue_service.domain.handler import PREFIX, HandlerKind
from queue_service.domain.lease import Lease, Ref
from queue_service.domain.registration import Measured, Registration
from queue_service.domain.terms import Terms
from queue_service.domain.willingness import Willingness
from queue_service.store.claims import ClaimStore
from queue_service.store.sessions import Opened
from queue_service.store.starts import Start
from service_kit.clock import Clock
from service_kit.errors import DatabaseUnavailable
from service_kit.logs import logger

log = logger(__name__)

LATE: Final = "not answered in time"

MOST_CREDIT: Final = 100_000
MOST_UNDER_WAY: Final = 32
"""Messages of one agent that are being stored at a time; beyond it its next message is not read."""


@dataclass(frozen=True, slots=True)
class SessionTools:
    """What every session of a replica works with; `freed` is called when one may be given more work."""

    clock: Clock
    terms: Terms
    completion: Completion
    heartbeats: Heartbeats
    starts: Starts
    claims: ClaimStore
    persistence: Persistence
    holds: HoldBook
    freed: Callable[[], None]


class Session:
    """Answers its agent through `messages`; whoever reads what the agent says calls the verbs in that order.

    What the agent says is never trusted: a lease counts only with its token, and only the database ends it.
    """

    def __init__(
        self, opened: Opened, registration: Registration, held: Iterable[Ref], tools: SessionTools
    ) -> None:
        self.id = opened.session
        self.executor = opened.executor
        self.name = registration.executor
        self.namespace = registration.namespace
        self.handler_keys = handler_keys(registration)
        self.outbox = Outbox()
        self._tools = tools
        self.leaving = False
        self._credit = 0
        self._beats = 0
        self._book = LeaseBook(held, tools.clock.now())
        self._willingness = Willingness()
        self._under_way: set[asyncio.Task[None]] = set()

    @property
    def room(self) -> int:
        """How many offers it may be sent now."""
        if not self._willingness.may_be_offered(_seconds()):
            return 0
        return min(self._credit, self.outbox.room)

    @property
    def tasks(self) -> list[int]:
        """The tasks it has leased, as far as this replica knows."""
        return self._book.tasks

    def offer(self, offers: Sequence[tuple[Lease, WaitedIn]]) -> None:
        """Hands it leases that were claimed for it, each with the list that it waited in.

        When the session is over they go back at once, and so does what a hold keeps from starting since.
        """
        leases = [lease for lease, _ in offers]
        if self.outbox.ended:
            self._return_unsent(leases, "the session ended before it was sent")
            return
        self._credit -= len(leases)
        self._book.add((lease.ref, waited_in) for lease, waited_in in offers)
        self.outbox.offer(leases)
        self.hold_back()

    def grant(self, offers: int) -> None:
        """The agent has room for more offers."""
        if self._credit + offers > MOST_CREDIT:
            self.outbox.refuse(f"credit is kept at {MOST_CREDIT}, the most there can be", "credit.offers")
        self._credit = min(MOST_CREDIT, self._credit + offers)
        self._tools.freed()

    def accept(self, refs: Sequence[Ref]) -> None:
        """The agent has started offers. Saying it again changes nothing."""
        self._answer_unknown(refs)
        self._willingness.took(refs)
        now = self._tools.clock.now()
        news = self._book.accept(refs, now)
        late = self._recall(news)
        self._tools.starts.add(Start(*ref, self.id, now) for ref in news if ref not in late)

    def decline(self, refs: Sequence[Ref], reason: str) -> None:
        """The agent does not want offers."""
        self._willingness.declined(refs, _seconds())
        self._give_back(refs, reason or "declined")

    def confirm_revoked(self, refs: Sequence[Ref]) -> None:
        """The agent had not started revoked offers."""
        self._willingness.answered(refs)
        for reason, some in self._book.by_revocation(refs).items():
            self._give_back(some, reason)

    def results(self, reports: Sequence[Finished]) -> None:
        """Attempts have ended; each is answered when it is stored, or when it turns out to be stale."""
        refs = [Ref(report.task, report.token) for report in reports]
        self._tools.starts.forget(refs)
        self._willingness.took(refs)
        completed = [
            report._replace(executor=self.executor, started_at=self._book.report(ref))
            for ref, report in zip(refs, self._book.counted(reports), strict=True)
        ]
        self._spawn(self._finish(completed, says=(self.outbox.acknowledge, self.outbox.stale)))

    def heartbeat(self, seq: int, load: Measured | None) -> None:
        """A sign of life."""
        if seq <= self._beats:
            self.outbox.refuse(f"must rise within the session: {seq} after {self._beats}", "heartbeat.seq")
            return
        self._beats = seq
        self._spawn(self._beat(seq, load))

    def revoke(self, refs: Iterable[Ref], reason: str = LATE) -> None:
        """Offers without an answer are asked back, once; what was never sent goes back at once."""
        refs = list(refs)
        unsent = self.outbox.withdraw([ref.task for ref in refs])
        self._return_unsent(unsent, reason)
        # A claim whose COMMIT was never confirmed: no session has been told of it.
        self._return(self._book.unknown(refs), reason)
        withdrawn = {lease.task for lease in unsent}
        revoked = self._book.revoke((ref for ref in refs if ref.task not in withdrawn), reason)
        self._willingness.ignored(revoked)
        self.outbox.revoke(revoked)

    def cancel(self, graces: Mapping[Ref, timedelta]) -> None:
        """Somebody wants attempts stopped: the agent is asked once, and again when they are given less time.

        What was never sent ends at once.
        """
        unsent = self.outbox.withdraw([ref.task for ref in graces])
        self._return_unsent(unsent, "cancelled")
        withdrawn = {lease.task for lease in unsent}
        sent = {ref: grace for ref, grace in graces.items() if ref.task not in withdrawn}
        self.outbox.cancel(self._book.cancel(sent))

    def hold_back(self) -> None:
        """Asks back the offers that a hold keeps from starting, since it began after they were made."""
        for reason, refs in self._book.untimely(self._tools.holds.now()).items():
            self.revoke(refs, reason)

    def lost(self, refs: Sequence[Ref]) -> None:
        """Leases have turned out not to be the session's any more, unless by a result that it has sent."""
        lost = self._book.unreported(refs)
        self._book.drop(lost)
        self._willingness.answered(lost)
        self.outbox.stale(lost)

    def supersede(self, successor: int) -> None:
        """Another session is the executor's current one."""
        self.outbox.end(Superseded(successor))

    def leave(self) -> None:
        """The agent said goodbye: it gets nothing more, and the stream ends when that is stored."""
        self.leaving, self._credit = True, 0
        self.outbox.withdraw_all()

    def close(self) -> None:
        """The stream is over: what was not sent goes back. What the agent holds is kept for its return."""
        self.outbox.end()
        self._return_unsent(self.outbox.withdraw_all(), "the session ended before it was sent")

    async def ready(self) -> None:
        """Returns when another message may be taken."""
        await self.outbox.drained()
        while len(self._under_way) >= MOST_UNDER_WAY:
            await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)

    async def settled(self) -> None:
        """Returns when everything the agent has said is stored."""
        while self._under_way:
            await asyncio.wait(self._under_way)

    async def messages(self) -> AsyncIterator[Message]:
        """Everything the agent is to be told, until the stream is to end."""
        async for message in self.outbox.messages():
            if not isinstance(message, Offers):
                yield message
            elif leases := await self._with_payloads(message.leases):
                yield Offers(leases)

    def _recall(self, started: Sequence[Ref]) -> set[Ref]:
        """Has attempts stopped that began inside a hold; they go back when that is done, with none burnt."""
        late = self._book.untimely(self._tools.holds.now(), started)
        for reason, refs in late.items():
            for ref in refs:
                self._book.recall(ref, reason)
            self.cancel(dict.fromkeys(refs, self._tools.terms.cancel_grace))
        return {ref for refs in late.values() for ref in refs}

    def _answer_unknown(self, refs: Sequence[Ref]) -> None:
        unknown = self._book.unknown(refs)
        if unknown:
            self.outbox.stale(unknown)

    def _give_back(self, refs: Sequence[Ref], reason: str) -> None:
        self._answer_unknown(refs)
        offers = self._book.unanswered(refs)
        started = len(refs) - len(self._book.unknown(refs)) - len(offers)
        if started:
            self.outbox.refuse(f"{started} of the leases were accepted before: report a Result instead")
        self._return(offers, reason)

    def _return_unsent(self, leases: Iterable[Lease], reason: str) -> None:
        self._return([lease.ref for lease in leases], reason)

    def _return(self, refs: Sequence[Ref], reason: str) -> None:
        if refs:
            returned = [Finished(*ref, How.RETURNED, executor=self.executor, detail=reason) for ref in refs]
            self._spawn(self._finish(returned))

    async def _finish(
        self,
        reports: Sequence[Finished],
        says: tuple[Callable[[Iterable[Ref]], None], Callable[[Iterable[Ref]], None]] | None = None,
    ) -> None:
        """Stores reports, and `says` for what was stored and what was stale."""
        answers = await self._tools.persistence.until_stored(
            lambda: self._tools.completion.finish(reports), "ends of leases"
        )
        refs = [Ref(report.task, report.token) for report in reports]
        self._book.drop(refs)
        if says is not None:
            stored, stale = says
            stored(ref for ref, answer in zip(refs, answers, strict=True) if not isinstance(answer, Stale))
            stale(ref for ref, answer in zip(refs, answers, strict=True) if isinstance(answer, Stale))

    async def _beat(self, seq: int, load: Measured | None) -> None:
        try:
            match await self._tools.heartbeats.beat(self.id, load):
                case Alive():
                    self.outbox.beat(HeartbeatAck(seq, self._tools.terms.ttl))
                case Over(successor):
                    self.supersede(successor)
        except DatabaseUnavailable:
            # No answer: the agent counts from its last acknowledged beat, and beats again soon.
            return

    async def _with_payloads(self, leases: Sequence[Lease]) -> list[Lease]:
        apart = [lease.task for lease in leases if lease.payload_is_apart]
        if not apart:
            return list(leases)
        try:
            payloads = await self._tools.claims.payloads(apart)
        except DatabaseUnavailable as error:
            log.warning("offers go back unsent", executor=self.name, count=len(apart), reason=error.message)
            payloads = {}
        lacking = [lease for lease in leases if lease.payload_is_apart and lease.task not in payloads]
        self._return_unsent(lacking, "its payload could not be read")
        return [
            lease._replace(payload=payloads.get(lease.task, lease.payload))
            for lease in leases
            if lease not in lacking
        ]

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Goes on in a task of the session's own, so that the agent's next message is not held up."""
        task = asyncio.create_task(work, name=f"session-{self.id}")
        self._under_way.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._under_way.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, DatabaseUnavailable):
            log.warning("not stored before the stop", executor=self.name, reason=error.message)
        elif error is not None:
            log.error("a message could not be handled", executor=self.name, exc_info=error)
            self.outbox.refuse("internal error; the service's log has the reason")


def handler_keys(registration: Registration) -> frozenset[str]:
    """What the executor is matched by, see `domain.handler`."""
    keys = {PREFIX + name for name in registration.handlers}
    if registration.allows_shell:
        keys.add(HandlerKind.SHELL.value)
    if registration.allows_http:
        keys.add(HandlerKind.HTTP.value)
    return frozenset(keys)


def _seconds() -> float:
    return asyncio.get_running_loop().time()
