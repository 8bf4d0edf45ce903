"""The dispatcher: chooses, claims, offers. One in each replica; any number may run side by side."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final

from queue_service.app.candidates import Candidates, serves
from queue_service.app.dispatch_metrics import DispatchMetrics
from queue_service.app.fifo import FifoList
from queue_service.app.hold_book import HoldBook
from queue_service.app.leasebook import WaitedIn
from queue_service.app.ledger import Ledger
from queue_service.app.lookout import Lookout
from queue_service.app.roster import Roster
from queue_service.app.session import Session
from queue_service.domain.lease import Lease
from queue_service.domain.limits import Need
from queue_service.domain.order import Candidate
from queue_service.domain.selection import Placement, Room, choose, has_room
from queue_service.domain.terms import Terms
from queue_service.store.claims import Claimed, ClaimStore
from queue_service.store.lists import ListKey
from service_kit.clock import Clock
from service_kit.loops import Loop, run_all

POLL: Final = timedelta(seconds=1)
MOST_IN_A_CLAIM: Final = 1_000

REFUSED_REST: Final = timedelta(milliseconds=100)

UNPARK_EVERY: Final = timedelta(seconds=1)
"""Looking again at what did not fit, each time something ends, would never get past it."""


class Dispatcher:
    """Gives waiting tasks to the sessions of this replica, most urgent first.

    Each cycle reads on in the lists that run low, chooses in memory, claims what was chosen in one
    transaction and hands the leases to their sessions. What is in memory is only a hint: a claim wins what is
    still there and fits into the limits in force.
    """

    def __init__(
        self,
        claims: ClaimStore,
        clock: Clock,
        terms: Terms,
        ledger: Ledger,
        candidates: Candidates,
        lookout: Lookout,
        roster: Roster,
        holds: HoldBook,
        metrics: DispatchMetrics,
        wake: asyncio.Event,
    ) -> None:
        self._claims = claims
        self._clock = clock
        self._terms = terms
        self._ledger = ledger
        self._candidates = candidates
        self._lookout = lookout
        self._roster = roster
        self._holds = holds
        self._metrics = metrics
        self._unparked_at = float("-inf")
        self._resting: dict[int, float] = {}
        self._dispatching = Loop("dispatcher", self.step, POLL, wake)
        self._refreshing = Loop("standings", self._refresh, POLL)

    def wake(self) -> None:
        """Something has changed elsewhere (a hint may get lost): looks for tasks, use and limits at once."""
        self._lookout.hint()
        self._refreshing.wake.set()

    def push(self, candidates: Iterable[Candidate]) -> None:
        """Tasks that this replica has taken in or changed, and that may start now."""
        self._candidates.push(candidates)

    async def run(self) -> None:
        """Runs until it is cancelled; a cycle that has begun is ended."""
        await run_all([self._dispatching, self._refreshing, self._lookout.loop])

    async def step(self) -> float | None:
        """One cycle. Returns 0 when there may be more to do at once."""
        time = asyncio.get_running_loop().time()
        self._resting = {executor: until for executor, until in self._resting.items() if until > time}
        sessions = {
            each.executor: each
            for each in self._roster.sessions.values()
            if each.room > 0 and each.executor not in self._resting
        }
        rooms = self._rooms(sessions.values())
        if not rooms:
            return None
        await self._holds.loaded()
        self._unpark(rooms)
        await self._lookout.refill(self._served(rooms), self._clock.now())
        placements = self._choose(rooms)
        if not placements:
            return 0 if self._park(rooms) else None
        await self._give(placements, sessions)
        return 0

    async def _refresh(self) -> None:
        await self._ledger.refresh()

    def _rooms(self, sessions: Iterable[Session]) -> dict[str, list[Room]]:
        """What can be taken, by namespace; executors without a free slot are left out."""
        rooms: defaultdict[str, list[Room]] = defaultdict(list)
        for session in sessions:
            standing = self._ledger.standing(session.executor)
            if standing is None:
                continue
            room = Room(session.executor, session.handler_keys, standing.limits, standing.use, session.room)
            if has_room(room, Need()):
                rooms[session.namespace].append(room)
        return rooms

    def _served(self, rooms: dict[str, list[Room]]) -> list[FifoList]:
        """The lists that somebody with room can serve, and that no hold keeps from being served."""
        held = self._holds.now()
        served = {
            (namespace, key)
            for namespace, each in rooms.items()
            for room in each
            for key in room.handler_keys
        }
        return [
            each
            for key, each in self._candidates.lists.items()
            if serves(key.lane) in served and held.holding(*key) is None
        ]

    def _choose(self, rooms: dict[str, list[Room]]) -> list[Placement]:
        """Most urgent first in each namespace; all namespaces have the same share of a claim."""
        placements: list[Placement] = []
        held = self._holds.now()
        for namespace, each in rooms.items():
            placements += choose(
                [
                    found.waiting
                    for found in self._candidates.of(namespace)
                    if held.holding(*found.key) is None
                ],
                each,
                self._ledger.threshold(each[0].executor),
                max(1, MOST_IN_A_CLAIM // len(rooms)),
            )
        return placements

    async def _give(self, placements: Sequence[Placement], sessions: dict[int, Session]) -> None:
        now = self._clock.now()
        with self._ledger.moving(), self._metrics.claim_seconds.time():
            claimed = await self._claims.claim(
                placements,
                {executor: session.id for executor, session in sessions.items()},
                now,
                self._terms.answer_by(now),
            )
            self._ledger.charge(claimed.amounts())
        self._forget(placements, claimed)
        self._hand_over(placements, claimed, sessions)
        refused = sum(each.executor in claimed.refused for each in placements)
        won = len(claimed.leases)
        self._metrics.claimed(won, len(placements) - won - refused, refused)
        if claimed.refused:
            await self._look_into(claimed.refused)

    def _hand_over(
        self, placements: Sequence[Placement], claimed: Claimed, sessions: dict[int, Session]
    ) -> None:
        """Offers what was won, most urgent first."""
        offers: defaultdict[int, list[tuple[Lease, WaitedIn]]] = defaultdict(list)
        for placement in placements:
            candidate = placement.candidate
            lease = claimed.leases.get(candidate.task)
            if lease is not None:
                offers[placement.executor].append((lease, (candidate.lane, candidate.level)))
        for executor, leases in offers.items():
            sessions[executor].offer(leases)

    async def _look_into(self, refused: frozenset[int]) -> None:
        """Learns what executors that were refused really have; they rest a little, in case it is not that.

        A session that is not the current one, or has run out, is refused whatever its executor has left.
        """
        until = asyncio.get_running_loop().time() + REFUSED_REST.total_seconds()
        self._resting.update(dict.fromkeys(refused, until))
        await self._ledger.learn(sorted(refused))
        await self._roster.recheck(refused)

    def _forget(self, placements: Iterable[Placement], claimed: Claimed) -> None:
        """Drops what was won, and what was not there to win; what an executor was refused stays."""
        gone: defaultdict[ListKey, set[int]] = defaultdict(set)
        for candidate, executor in ((each.candidate, each.executor) for each in placements):
            if executor not in claimed.refused:
                gone[ListKey(candidate.lane, candidate.level)].add(candidate.task)
        for key, tasks in gone.items():
            found = self._candidates.lists.get(key)
            if found is not None:
                found.remove(tasks)

    def _park(self, rooms: dict[str, list[Room]]) -> bool:
        """Nothing that is buffered fits: makes room for what is behind it. True when there is more."""
        full = [each for each in self._served(rooms) if each.more and each.waiting]
        for each in full:
            each.park()
        return bool(full) or any(each.more for each in self._served(rooms))

    def _unpark(self, rooms: dict[str, list[Room]]) -> None:
        """Looks again at what was passed over, when some of it may fit now."""
        time = asyncio.get_running_loop().time()
        if time - self._unparked_at < UNPARK_EVERY.total_seconds():
            return
        for each in self._served(rooms):
            namespace, handler_key = serves(each.key.lane)
            if each.parked is not None and any(
                handler_key in room.handler_keys and has_room(room, each.parked_need)
                for room in rooms[namespace]
            ):
                each.unpark()
                self._unparked_at = time
