"""What is to be said to one agent and has not been sent yet; bounded, whatever the agent does."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from datetime import timedelta
from itertools import islice
from typing import Final

from queue_service.app.messages import (
    Cancel,
    Farewell,
    HeartbeatAck,
    Message,
    Offers,
    Refused,
    ResultsAck,
    Revoke,
    StaleLease,
    Welcome,
)
from queue_service.domain.lease import Lease, Ref

MOST_OFFERS: Final = 1_000
MOST_REFS: Final = 20_000
MOST_REFUSALS: Final = 100

OFFERS_IN_A_MESSAGE: Final = 500
REFS_IN_A_MESSAGE: Final = 10_000
BYTES_IN_A_MESSAGE: Final = 512 * 1024
LONG_PAYLOADS_IN_A_MESSAGE: Final = 4
"""Of up to 256 KiB each."""


class Outbox:
    """Collects and joins what is said, so that a message of each kind at most is waiting.

    It never blocks who speaks: offers are limited by `room`, answers by `drained` (whoever reads the agent's
    messages waits for it before reading on), everything else by joining.
    """

    def __init__(self) -> None:
        self._something = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()
        self._welcome: Welcome | None = None
        self._beat: HeartbeatAck | None = None
        self._offers: dict[int, Lease] = {}
        self._cancels: dict[Ref, timedelta] = {}
        self._refs: dict[type[Revoke | ResultsAck | StaleLease], dict[Ref, None]] = {
            kind: {} for kind in (Revoke, StaleLease, ResultsAck)
        }
        self._refusals: list[Refused] = []
        self._farewell: Farewell | None = None
        self.ended = False

    @property
    def room(self) -> int:
        """Offers that may be added."""
        return 0 if self.ended else MOST_OFFERS - len(self._offers)

    @property
    def unsent_answers(self) -> int:
        """Leases that answers and requests name which have not been sent."""
        return len(self._cancels) + sum(map(len, self._refs.values()))

    @property
    def has_room_for_answers(self) -> bool:
        """False while `drained` waits."""
        return self._drained.is_set()

    async def drained(self) -> None:
        """Returns when there are not too many unsent answers."""
        await self._drained.wait()

    def welcome(self, welcome: Welcome) -> None:
        """The first message."""
        self._welcome = welcome
        self._something.set()

    def offer(self, leases: Iterable[Lease]) -> None:
        """Adds offers, at most `room`."""
        self._offers.update((lease.task, lease) for lease in leases)
        self._something.set()

    def withdraw(self, tasks: Collection[int]) -> list[Lease]:
        """Takes offers back that have not been sent; the agent never learns of them."""
        return [self._offers.pop(task) for task in tasks if task in self._offers]

    def withdraw_all(self) -> list[Lease]:
        """As `withdraw`, for all that are left."""
        return self.withdraw(list(self._offers))

    def beat(self, ack: HeartbeatAck) -> None:
        """Answers a heartbeat; an older answer that is still here is not worth sending."""
        self._beat = ack
        self._something.set()

    def revoke(self, refs: Iterable[Ref]) -> None:
        """Takes offers back that were sent."""
        self._say(Revoke, refs)

    def cancel(self, graces: Mapping[Ref, timedelta]) -> None:
        """Asks to stop attempts, each with its grace."""
        self._cancels.update(graces)
        if self._cancels:
            self._something.set()

    def acknowledge(self, refs: Iterable[Ref]) -> None:
        """Results are stored."""
        self._say(ResultsAck, refs)

    def stale(self, refs: Iterable[Ref]) -> None:
        """Attempts are not the session's any more."""
        self._say(StaleLease, refs)

    def refuse(self, message: str, field: str = "") -> None:
        """Something could not be taken; beyond MOST_REFUSALS unsent ones the agent is not told."""
        if len(self._refusals) < MOST_REFUSALS:
            self._refusals.append(Refused(message, field))
            self._something.set()

    def end(self, farewell: Farewell | None = None) -> None:
        """Ends the stream after what is left to say, apart from offers; the first farewell counts."""
        if not self.ended:
            self.ended, self._farewell = True, farewell
            self._drained.set()
            self._something.set()

    async def messages(self) -> AsyncIterator[Message]:
        """Everything that is said, until the end; for one reader."""
        while True:
            message = self._next()
            if message is not None:
                yield message
            elif self.ended:
                break
            else:
                self._something.clear()
                await self._something.wait()
        if self._farewell is not None:
            yield self._farewell

    def _say(self, kind: type[Revoke | ResultsAck | StaleLease], refs: Iterable[Ref]) -> None:
        said = self._refs[kind]
        said.update(dict.fromkeys(refs))
        if len(said) > MOST_REFS and not self.ended:
            self._drained.clear()
        if said:
            self._something.set()

    def _next(self) -> Message | None:
        """Short and urgent things first; a lease is never mentioned before its offer was sent."""
        if self._welcome is not None:
            welcome, self._welcome = self._welcome, None
            return welcome
        if self._beat is not None:
            beat, self._beat = self._beat, None
            return beat
        if self._cancels:
            return self._some_cancels()
        for kind in self._refs:
            if self._refs[kind]:
                return kind(self._some_refs(kind))
        if self._refusals:
            return self._refusals.pop(0)
        return Offers(self._some_offers()) if self._offers and not self.ended else None

    def _some_cancels(self) -> Cancel:
        """Those with the shortest grace."""
        grace = min(self._cancels.values())
        some = islice((ref for ref, each in self._cancels.items() if each == grace), REFS_IN_A_MESSAGE)
        refs = list(some)
        for ref in refs:
            del self._cancels[ref]
        return Cancel(refs, grace)

    def _some_refs(self, kind: type[Revoke | ResultsAck | StaleLease]) -> list[Ref]:
        said = self._refs[kind]
        refs = list(islice(said, REFS_IN_A_MESSAGE))
        for ref in refs:
            del said[ref]
        if all(len(each) <= MOST_REFS for each in self._refs.values()):
            self._drained.set()
        return refs

    def _some_offers(self) -> list[Lease]:
        """As many as fit into a message, in the order they were claimed."""
        chosen: list[Lease] = []
        size = long = 0
        for lease in islice(self._offers.values(), OFFERS_IN_A_MESSAGE):
            size += lease.size
            long += bool(lease.payload_is_apart)
            if chosen and (size > BYTES_IN_A_MESSAGE or long > LONG_PAYLOADS_IN_A_MESSAGE):
                break
            chosen.append(lease)
        for lease in chosen:
            del self._offers[lease.task]
        return chosen
