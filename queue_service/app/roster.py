"""The sessions that this replica has: how they begin and end."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final

from queue_service.app.candidates import Candidates
from queue_service.app.ledger import Ledger
from queue_service.app.messages import Drain, Welcome
from queue_service.app.session import Session, SessionTools
from queue_service.domain.ending import Finished, How
from queue_service.domain.lease import Ref
from queue_service.domain.registration import Registration
from queue_service.domain.states import LeaseState
from queue_service.store.leaving import clean
from queue_service.store.sessions import HeldLease, Opened, SessionRef, SessionStore
from service_kit.errors import Unavailable
from service_kit.logs import logger

log = logger(__name__)

PAGE: Final = 1_000


class Roster:
    """Opens and closes sessions; `sessions` has those whose streams are here, by session epoch.

    `survey` finds the heads of lists that have become of interest, before the first offer is made.
    """

    def __init__(
        self,
        store: SessionStore,
        tools: SessionTools,
        ledger: Ledger,
        candidates: Candidates,
        replica: str,
        survey: Callable[[], Awaitable[None]],
    ) -> None:
        self._survey = survey
        self._store = store
        self._tools = tools
        self._ledger = ledger
        self._candidates = candidates
        self._replica = replica
        self._draining = False
        self._all_closed = asyncio.Event()
        self._all_closed.set()
        self._farewells: set[asyncio.Task[None]] = set()
        self.sessions: dict[int, Session] = {}

    async def open(self, registration: Registration, held: Sequence[Ref]) -> Session:
        """Begins a session; leases among `held` that go on move to it, the rest of the instance's go back.

        The newer of two sessions of an executor is the one; an older one here is told. Raises Unavailable
        while the service shuts down or the database is away.
        """
        if self._draining:
            raise Unavailable("the service shuts down: connect to another replica", reason="DRAINING")
        now = self._tools.clock.now()
        opened = await self._store.open(registration, self._replica, now, self._tools.terms.expires_at(now))
        for earlier in self._of(opened.executor):
            earlier.supersede(opened.session)
        moved = await self._store.adopt(opened, registration.instance_id, held, now)
        await self._give_back_rest(opened, registration.instance_id)
        await self._store.close_earlier(opened, registration.instance_id, now)
        await self._ledger.learn([opened.executor])
        session = Session(opened, registration, moved, self._tools)
        self._enter(session)
        try:
            if self._want():
                await self._survey()
            self._welcome(session, moved)
        except BaseException:
            self.close(session)
            raise
        return session

    async def recheck(self, executors: Collection[int]) -> None:
        """Tells sessions that are not the current ones any more. Raises DatabaseUnavailable."""
        doubtful = [each for executor in executors for each in self._of(executor)]
        successors = await self._store.successors([each.id for each in doubtful])
        for session in doubtful:
            successor = successors.get(session.id, 0)
            if successor != session.id:
                session.supersede(successor)

    def close(self, session: Session) -> None:
        """The stream is over; the session itself lives until it is replaced or runs out."""
        session.close()
        if self.sessions.pop(session.id, None) is None:
            return
        if not self._of(session.executor):
            self._ledger.forget(session.executor)
        self._want()
        if not self.sessions:
            self._all_closed.set()
        log.info("session closed", executor=session.name, session=session.id)

    def goodbye(self, session: Session, reason: str) -> None:
        """Ends the session: its leases go back at once, with no attempt burnt; then the stream ends."""
        session.leave()
        work = self._tools.persistence.until_stored(
            lambda: self._wind_up(session, reason or "the executor said goodbye"), "goodbye"
        )
        task = asyncio.create_task(work, name=f"goodbye-{session.id}")
        self._farewells.add(task)
        task.add_done_callback(self._farewells.discard)

    async def drain(self) -> None:
        """Tells every agent to go elsewhere and returns when their streams have ended."""
        self._draining = True
        for session in self.sessions.values():
            session.outbox.end(Drain())
        await self._all_closed.wait()

    async def settled(self) -> None:
        """Returns when the goodbyes that were said are stored, or cannot be."""
        await asyncio.gather(*self._farewells, return_exceptions=True)

    def lost(self, session: int, refs: list[Ref]) -> None:
        """Leases of a session have turned out not to be its own any more."""
        found = self.sessions.get(session)
        if found is not None:
            found.lost(refs)

    async def _wind_up(self, session: Session, reason: str) -> None:
        await self._store.detach(session.id)
        await session.settled()
        while rest := await self._store.held_by(session.id, PAGE):
            await self._tools.completion.finish([_ended(each, How.RETURNED, reason) for each in rest])
        ref = SessionRef(session.id, session.executor)
        await self._store.close(ref, self._tools.clock.now(), clean(reason))
        session.outbox.end()

    def _of(self, executor: int) -> list[Session]:
        return [each for each in self.sessions.values() if each.executor == executor]

    async def _give_back_rest(self, opened: Opened, instance_id: str) -> None:
        """What the same instance does not know is run by nobody: safe to give away at once."""
        while rest := await self._store.left_behind(opened, instance_id, PAGE):
            await self._tools.completion.finish([_left_behind(each) for each in rest])

    def _enter(self, session: Session) -> None:
        self.sessions[session.id] = session
        self._all_closed.clear()
        newest = max(each.id for each in self._of(session.executor))
        if newest > session.id:
            session.supersede(newest)
        if self._draining:
            session.outbox.end(Drain())

    def _welcome(self, session: Session, held: Sequence[Ref]) -> None:
        standing = self._ledger.standing(session.executor)
        assert standing is not None
        session.outbox.welcome(
            Welcome(session.id, self._tools.terms, held, standing.limits, self._tools.clock.now())
        )
        log.info("session opened", executor=session.name, session=session.id, held=len(held))

    def _want(self) -> bool:
        """True when the executors here serve other handlers than before."""
        served = ((each.namespace, key) for each in self.sessions.values() for key in each.handler_keys)
        return self._candidates.want(served)


def _left_behind(lease: HeldLease) -> Finished:
    if lease.state is LeaseState.OFFERED:
        return _ended(lease, How.RETURNED, "the executor reconnected without it")
    return _ended(lease, How.LOST, "the executor reconnected without it")


def _ended(lease: HeldLease, how: How, detail: str) -> Finished:
    return Finished(lease.ref.task, lease.ref.token, how, detail=detail)
