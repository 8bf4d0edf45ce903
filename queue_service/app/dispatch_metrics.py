"""Figures of dispatch, for Prometheus."""

from collections import Counter as Tally
from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from queue_service.domain.ending import Duplicate, FinishAnswer, Stored

_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)


class DispatchMetrics:
    """What this replica's sessions, claims and ends of leases amount to."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._sessions = Gauge("batonpass_queue_sessions", "Agents connected here", registry=registry)
        self._holds = Gauge("batonpass_queue_holds_in_force", "Holds in force now", registry=registry)
        self._claims = Counter(
            "batonpass_queue_claims",
            "Tasks that were to be leased, by what became of it: won, gone (another was faster) or refused",
            ["outcome"],
            registry=registry,
        )
        self._ends = Counter(
            "batonpass_queue_leases_ended",
            "Reports of ended leases: the state the task came into, duplicate or stale",
            ["outcome"],
            registry=registry,
        )
        self.claim_seconds = Histogram(
            "batonpass_queue_claim_seconds",
            "Time of one claim of up to 1,000 tasks",
            registry=registry,
            buckets=_BUCKETS,
        )

    def watch_sessions(self, count: Callable[[], int]) -> None:
        """Asks `count` whenever somebody looks."""
        self._sessions.set_function(count)

    def watch_holds(self, count: Callable[[], int]) -> None:
        """Asks `count` whenever somebody looks."""
        self._holds.set_function(count)

    def claimed(self, won: int, gone: int, refused: int) -> None:
        """Adds one claim."""
        for outcome, number in (("won", won), ("gone", gone), ("refused", refused)):
            self._claims.labels(outcome).inc(number)

    def ended(self, answers: Iterable[FinishAnswer]) -> None:
        """Adds what was answered to reports."""
        for outcome, number in Tally(map(_outcome, answers)).items():
            self._ends.labels(outcome).inc(number)


def _outcome(answer: FinishAnswer) -> str:
    match answer:
        case Stored(state):
            return state.name.lower()
        case Duplicate():
            return "duplicate"
        case _:
            return "stale"
