"""Counters of intake, for Prometheus."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter

from queue_service.domain.verdict import Verdict


class IntakeMetrics:
    """Counts verdicts by kind: created, known, kept_out, different, too_large, too_old."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._verdicts = Counter(
            "batonpass_queue_submissions",
            "Tasks that were handed in, by what became of them",
            ["verdict"],
            registry=registry,
        )

    def count(self, verdicts: Iterable[Verdict]) -> None:
        """Adds them up."""
        for verdict in verdicts:
            self._verdicts.labels(_NAMES[type(verdict).__name__]).inc()


_NAMES = {
    "Created": "created",
    "Known": "known",
    "KeptOut": "kept_out",
    "Different": "different",
    "TooLarge": "too_large",
    "TooOld": "too_old",
}
