"""The leases of one session as this replica knows them."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from queue_service.domain.lease import Ref


@dataclass(slots=True)
class Held:
    """One lease. An answered offer is one that was accepted, or whose result has come."""

    token: int
    accepted_at: datetime | None = None
    answered: bool = False
    reported: bool = False
    revoked: bool = False
    grace: timedelta | None = None
    """That its agent was told when it was asked to stop it."""


class LeaseBook:
    """Says which leases are the session's and what has been said about them; the database has the truth."""

    def __init__(self, carried_over: Iterable[Ref], now: datetime) -> None:
        self._held = {ref.task: Held(ref.token, now, answered=True) for ref in carried_over}

    def __len__(self) -> int:
        return len(self._held)

    @property
    def tasks(self) -> list[int]:
        """Tasks of all its leases."""
        return list(self._held)

    def add(self, refs: Iterable[Ref]) -> None:
        """Offers for the session."""
        self._held.update((ref.task, Held(ref.token)) for ref in refs)

    def find(self, ref: Ref) -> Held | None:
        """The lease; None when it is not the session's, or not any more."""
        held = self._held.get(ref.task)
        return held if held is not None and held.token == ref.token else None

    def unknown(self, refs: Iterable[Ref]) -> list[Ref]:
        """Those that are not the session's."""
        return [ref for ref in refs if self.find(ref) is None]

    def accept(self, refs: Iterable[Ref], now: datetime) -> list[Ref]:
        """Notes that offers were started; returns those of which it is news."""
        news = []
        for ref in refs:
            held = self.find(ref)
            if held is None:
                continue
            held.revoked = False
            if not held.answered:
                held.answered, held.accepted_at = True, now
                news.append(ref)
        return news

    def report(self, ref: Ref) -> datetime | None:
        """Notes that a result has come; returns when the offer was accepted, if that was said."""
        held = self.find(ref)
        if held is None:
            return None
        held.answered = held.reported = True
        return held.accepted_at

    def unreported(self, refs: Iterable[Ref]) -> list[Ref]:
        """Those that have not ended as far as is known here."""
        return [ref for ref in refs if (held := self.find(ref)) is not None and not held.reported]

    def unanswered(self, refs: Iterable[Ref]) -> list[Ref]:
        """Those that are offers without an answer."""
        return [ref for ref in refs if (held := self.find(ref)) is not None and not held.answered]

    def revoke(self, refs: Iterable[Ref]) -> list[Ref]:
        """Notes that offers are asked back; returns those that were not before and are not answered."""
        news = [ref for ref in self.unanswered(refs) if not self._held[ref.task].revoked]
        for ref in news:
            self._held[ref.task].revoked = True
        return news

    def cancel(self, graces: Mapping[Ref, timedelta]) -> dict[Ref, timedelta]:
        """Notes that the agent is asked to stop attempts; returns those that it was not told, or more time."""
        news = {
            ref: grace
            for ref, grace in graces.items()
            if (held := self.find(ref)) is not None and (held.grace is None or grace < held.grace)
        }
        for ref, grace in news.items():
            self._held[ref.task].grace = grace
        return news

    def drop(self, refs: Collection[Ref]) -> None:
        """Forgets leases that have ended."""
        for ref in refs:
            if self.find(ref) is not None:
                del self._held[ref.task]
