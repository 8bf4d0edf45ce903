"""Takes offers back that are not answered or may not start any more, and passes cancels on to the agents."""

from collections import defaultdict
from datetime import timedelta
from typing import Final

from queue_service.app.hold_book import HoldBook
from queue_service.app.roster import Roster
from queue_service.domain.lease import Ref
from queue_service.domain.terms import Terms
from queue_service.store.sessions import SessionStore
from service_kit.clock import Clock
from service_kit.loops import Loop

SLOWEST: Final = timedelta(seconds=1)


class Recall:
    """For the sessions of this replica, whoever claimed or cancelled; `loop` is to be run."""

    def __init__(
        self, store: SessionStore, clock: Clock, terms: Terms, roster: Roster, holds: HoldBook
    ) -> None:
        self._store = store
        self._clock = clock
        self._terms = terms
        self._roster = roster
        self._holds = holds
        self.loop = Loop("recall", self.step, min(SLOWEST, terms.offer_timeout / 4))

    def wake(self) -> None:
        """A cancel was asked for, or a hold began (a hint may get lost): passes it on at once."""
        self.loop.wake.set()

    async def step(self) -> None:
        """Looks once."""
        sessions = list(self._roster.sessions)
        tasks = [task for session in self._roster.sessions.values() for task in session.tasks]
        if not sessions:
            return
        await self._holds.loaded()
        for each in list(self._roster.sessions.values()):
            each.hold_back()
        now = self._clock.now()
        overdue = await self._store.unanswered(sessions, self._terms.vanished_before(now), now)
        for session, refs in _by_session(overdue).items():
            if session in self._roster.sessions:
                self._roster.sessions[session].revoke(refs)
        wanted: defaultdict[int, dict[Ref, timedelta]] = defaultdict(dict)
        for session, ref, grace in await self._store.cancelled(tasks, sessions):
            wanted[session][ref] = grace
        for session, graces in wanted.items():
            if session in self._roster.sessions:
                self._roster.sessions[session].cancel(graces)


def _by_session(found: list[tuple[int, Ref]]) -> dict[int, list[Ref]]:
    refs: defaultdict[int, list[Ref]] = defaultdict(list)
    for session, ref in found:
        refs[session].append(ref)
    return refs
