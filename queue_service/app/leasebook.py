"""The leases of one session as this replica knows them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from queue_service.domain.ending import Finished, How
from queue_service.domain.holds import InForce
from queue_service.domain.lease import Ref

WaitedIn: TypeAlias = tuple[str, int]
"""The list that an offer came from: lane and level."""


@dataclass(slots=True)
class Held:
    """One lease. An answered offer is one that was accepted, or whose result has come.

    `waited_in` is None after a reconnect.
    """

    token: int
    waited_in: WaitedIn | None = None
    accepted_at: datetime | None = None
    answered: bool = False
    reported: bool = False
    revoked: str = ""
    """Why it was asked back; empty when it was not."""
    grace: timedelta | None = None
    """That its agent was told when it was asked to stop it."""


class LeaseBook:
    """Says which leases are the session's and what has been said about them; the database has the truth."""

    def __init__(self, carried_over: Iterable[Ref], now: datetime) -> None:
        self._recalled: dict[Ref, str] = {}
        self._held = {ref.task: Held(ref.token, None, now, answered=True) for ref in carried_over}

    def __len__(self) -> int:
        return len(self._held)

    @property
    def tasks(self) -> list[int]:
        """Tasks of all its leases."""
        return list(self._held)

    def add(self, offers: Iterable[tuple[Ref, WaitedIn]]) -> None:
        """Offers for the session, each with the list that it waited in."""
        self._held.update((ref.task, Held(ref.token, waited_in)) for ref, waited_in in offers)

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
            held.revoked = ""
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

    def revoke(self, refs: Iterable[Ref], reason: str) -> list[Ref]:
        """Notes that offers are asked back; returns those that were not before and are not answered."""
        news = [ref for ref in self.unanswered(refs) if not self._held[ref.task].revoked]
        for ref in news:
            self._held[ref.task].revoked = reason
        return news

    def recall(self, ref: Ref, reason: str) -> None:
        """Notes that an attempt that was accepted should not have begun: it goes back when it has ended."""
        self._recalled[ref] = reason

    def untimely(self, in_force: InForce, refs: Iterable[Ref] | None = None) -> dict[str, list[Ref]]:
        """Those of `refs` (None: offers without an answer) that a hold keeps from starting, by the reason."""
        if not in_force.by_namespace:
            return {}
        if refs is None:
            refs = [Ref(task, held.token) for task, held in self._held.items() if not held.answered]
        found: dict[str, list[Ref]] = {}
        for ref in refs:
            waited_in = self._held[ref.task].waited_in
            hold = waited_in and in_force.holding(*waited_in)
            if hold:
                found.setdefault(str(hold), []).append(ref)
        return found

    def by_revocation(self, refs: Iterable[Ref]) -> dict[str, list[Ref]]:
        """The leases by the reason why they were asked back; empty for what was not, or is unknown."""
        found: dict[str, list[Ref]] = {}
        for ref in refs:
            held = self.find(ref)
            found.setdefault(held.revoked if held else "", []).append(ref)
        return found

    def counted(self, reports: Sequence[Finished]) -> Sequence[Finished]:
        """The reports as they count: an attempt that was recalled goes back, unless it has succeeded."""
        return [self._counted(report) for report in reports] if self._recalled else reports

    def _counted(self, report: Finished) -> Finished:
        reason = self._recalled.get(Ref(report.task, report.token))
        if reason is None or report.how is How.SUCCEEDED:
            return report
        return Finished(report.task, report.token, How.RETURNED, detail=reason)

    def cancel(self, graces: Mapping[Ref, timedelta]) -> dict[Ref, timedelta]:
        """Notes that the agent is asked to stop attempts; returns those that are news, or have less time."""
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
                self._recalled.pop(ref, None)
