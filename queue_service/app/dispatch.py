"""The dispatch half of the queue, put together."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from queue_service.app.candidates import Candidates
from queue_service.app.completion import Completion
from queue_service.app.dispatch_metrics import DispatchMetrics
from queue_service.app.dispatcher import Dispatcher
from queue_service.app.heartbeats import Heartbeats
from queue_service.app.hold_book import HoldBook
from queue_service.app.ledger import Ledger
from queue_service.app.lookout import Lookout
from queue_service.app.persistence import Persistence
from queue_service.app.reaper import Reaper
from queue_service.app.recall import Recall
from queue_service.app.roster import Roster
from queue_service.app.session import SessionTools
from queue_service.app.starts import Starts
from queue_service.domain.lease import Ref
from queue_service.domain.terms import Terms
from queue_service.store.claims import ClaimStore
from queue_service.store.finish import FinishStore, Returned
from queue_service.store.holds import HoldStore
from queue_service.store.lists import ListStore
from queue_service.store.sessions import SessionStore
from queue_service.store.starts import StartStore
from service_kit.clock import Clock
from service_kit.loops import run_all
from service_kit.postgres import Database


@dataclass(frozen=True, slots=True)
class Databases:
    """Connections of their own for what must not wait for each other; all of engines made `by_index`.

    `claims` needs 3 connections (a claim, a read ahead, a look around), `finish` 3, `liveness` 2.
    """

    claims: Database
    finish: Database
    liveness: Database


class Dispatch:
    """Makes and runs the parts; the database and the clock may not be there yet."""

    def __init__(
        self,
        databases: Databases,
        clock: Clock,
        terms: Terms,
        replica: str,
        registry: CollectorRegistry | None = None,
    ) -> None:
        wake = asyncio.Event()
        metrics = DispatchMetrics(registry or CollectorRegistry())
        self._clock = clock
        sessions = SessionStore(databases.liveness)
        claims = ClaimStore(databases.claims)
        self.holds = HoldBook(HoldStore(databases.claims), clock, self._holds_changed)
        self._wake = wake
        self._candidates = Candidates(wake)
        ledger = Ledger(SessionStore(databases.claims), wake)
        lookout = Lookout(ListStore(databases.claims), clock, self._candidates)
        self.completion = Completion(
            FinishStore(databases.finish), clock, ledger, self._returned, metrics.ended
        )
        self._heartbeats = Heartbeats(sessions, clock, terms)
        self._persistence = Persistence()
        self.starts = Starts(StartStore(databases.finish), self._persistence, self._lost)
        tools = SessionTools(
            clock,
            terms,
            self.completion,
            self._heartbeats,
            self.starts,
            claims,
            self._persistence,
            self.holds,
            freed=wake.set,
        )
        self.roster = Roster(
            SessionStore(databases.finish), tools, ledger, self._candidates, replica, lookout.survey
        )
        self.dispatcher = Dispatcher(
            claims, clock, terms, ledger, self._candidates, lookout, self.roster, self.holds, metrics, wake
        )
        metrics.watch_sessions(lambda: len(self.roster.sessions))
        metrics.watch_holds(lambda: self.holds.now().count)
        self.recall = Recall(SessionStore(databases.finish), clock, terms, self.roster, self.holds)
        self.reaper = Reaper(SessionStore(databases.finish), self.completion, clock, terms)

    async def run(self) -> None:
        """Dispatches, takes unanswered offers back and rescues lost work until it is cancelled."""
        loops = [self.recall.loop, self.reaper.loop, self.holds.loop]
        await asyncio.gather(self.dispatcher.run(), run_all(loops))

    async def drain(self) -> None:
        """Sends the agents elsewhere and returns when their streams have ended; `run` has ended before."""
        await self.roster.drain()

    async def close(self) -> None:
        """Stores what has been said, as far as the database is there, and takes no more."""
        await self._persistence.stop()
        await self.roster.settled()
        await self.starts.close()
        await self._heartbeats.close()
        await self.completion.close()

    def _holds_changed(self) -> None:
        self._wake.set()
        self.recall.wake()

    def _returned(self, tasks: Sequence[Returned]) -> None:
        self._candidates.returned(tasks, self._clock.now())

    def _lost(self, session: int, refs: list[Ref]) -> None:
        self.roster.lost(session, refs)
