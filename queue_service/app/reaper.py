"""The reaper: gives the work of vanished executors to others."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from queue_service.app.completion import Completion
from queue_service.app.quiet import Quiet
from queue_service.domain.ending import Finished, How
from queue_service.domain.lease import Ref
from queue_service.domain.terms import Terms
from queue_service.store.sessions import SessionRef, SessionStore
from service_kit.clock import Clock
from service_kit.logs import logger
from service_kit.loops import Loop

log = logger(__name__)

PAGE: Final = 1_000
SLOWEST: Final = timedelta(seconds=1)

LATEST_COMMIT: Final = timedelta(minutes=1)
"""How long after it was written down an end may become visible: longer than any transaction may take."""


class Watermark:
    """Up to where overdue leases have been dealt with: their dead index entries are not read again."""

    def __init__(self) -> None:
        self.after = datetime(1970, 1, 1, tzinfo=UTC)

    def note(self, page: Sequence[object], before: datetime) -> int:
        """A page of what ended by `before` has been dealt with; returns its length."""
        if len(page) < PAGE:
            self.after = max(self.after, before - LATEST_COMMIT)
        return len(page)


class Reaper:
    """Ends leases that are over: of sessions that ran out, of pull clients, and offers that vanished.

    Any number may run side by side; each lease ends once, by its token. Only silence counts, never age. After
    a start, an outage of the database or a jump of its clock nobody is judged until everybody has had the
    time to speak. `loop` is to be run.
    """

    def __init__(self, store: SessionStore, completion: Completion, clock: Clock, terms: Terms) -> None:
        self._store = store
        self._completion = completion
        self._clock = clock
        self._terms = terms
        self._quiet = Quiet(terms.silence, terms.ttl)
        self._offers = Watermark()
        self._pulls = Watermark()
        self.loop = Loop("reaper", self.step, min(SLOWEST, terms.margin / 2))

    async def step(self) -> float | None:
        """Looks once, a page of each kind; returns 0 when there is more."""
        now = self._clock.now()
        sessions = await self._store.expired(self._terms.lost_before(now), PAGE)
        if not self._quiet.look(now):
            return None
        for session in sessions:
            await self._end(session, now)
        offers = await self._end_offers(self._terms.vanished_before(now))
        pulls = await self._end_pulls(self._terms.lost_before(now))
        return 0 if PAGE in (len(sessions), offers, pulls) else None

    async def _end(self, session: SessionRef, now: datetime) -> None:
        """Repeatable at any point: the session stays open until it holds nothing."""
        if not await self._store.condemn(session.session, self._terms.lost_before(now)):
            return
        lost = 0
        while rest := await self._store.held_by(session.session, PAGE):
            await self._lose((each.ref for each in rest), "executor lost: its session ran out")
            lost += len(rest)
        await self._store.close(session, now, "ran out")
        log.warning("session ran out", session=session.session, executor=session.executor, lost=lost)

    async def _end_offers(self, before: datetime) -> int:
        found = await self._store.vanished_offers(self._offers.after, before, PAGE)
        await self._lose((ref for ref, _ in found), "executor lost: the offer was never answered")
        return self._offers.note(found, before)

    async def _end_pulls(self, before: datetime) -> int:
        found = await self._store.expired_pulls(self._pulls.after, before, PAGE)
        await self._lose((ref for ref, _ in found), "executor lost: the pull lease ran out")
        return self._pulls.note(found, before)

    async def _lose(self, refs: Iterable[Ref], why: str) -> None:
        reports = [Finished(*ref, How.LOST, detail=why) for ref in refs]
        if reports:
            await self._completion.finish(reports)
