"""What the scheduler measures of itself."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from scheduler_service.domain.fire import Fire


class SchedulerMetrics:
    """Registered once per process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.fires = Counter(
            "batonpass_fires",
            "Fires and ranges recorded, by kind and first disposition",
            ["kind", "disposition"],
            registry=registry,
        )
        self.lateness = Histogram(
            "batonpass_fire_lateness_seconds",
            "From the due time of a fire by time to its record",
            buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3600),
            registry=registry,
        )
        self.verdicts = Counter(
            "batonpass_verdicts", "Fires settled by the queue", ["disposition"], registry=registry
        )
        self.handover_seconds = Histogram(
            "batonpass_handover_seconds", "From sending a fire to its verdict", registry=registry
        )
        self.in_flight = Gauge(
            "batonpass_handover_in_flight", "Fires sent, not settled yet", registry=registry
        )
        self.shards = Gauge(
            "batonpass_outbox_shards", "Parts of the outbox sent by this replica", registry=registry
        )
        self.queue_connected = Gauge(
            "batonpass_queue_connected",
            "1 while the hand-over stream to the queue is open",
            registry=registry,
        )
        self.invalid = Counter("batonpass_schedules_invalid", "Schedules found unreadable", registry=registry)
        self.moved = Counter(
            "batonpass_schedules_moved",
            "Schedules whose next fires were moved by a release of the time zone database",
            registry=registry,
        )
        self.overdue = Gauge(
            "batonpass_schedules_overdue",
            "Enabled schedules that are late by more than `--overdue-after`, all namespaces",
            registry=registry,
        )
        self.waiting = Gauge(
            "batonpass_outbox_waiting", "Fires without a verdict, all replicas", registry=registry
        )
        self.gatherings_overdue = Gauge(
            "batonpass_gatherings_overdue",
            "Gatherings of events that are late by more than `--overdue-after`",
            registry=registry,
        )
        self.blackouts_told = Counter(
            "batonpass_blackouts_told", "Times that the queue took the holds of a calendar", registry=registry
        )
        self.blackouts_untold = Counter(
            "batonpass_blackouts_untold", "Times that it did not", registry=registry
        )
        self.outcomes = Counter("batonpass_outcomes_applied", "Outcomes applied", registry=registry)
        self.outcomes_lost = Counter(
            "batonpass_outcome_gaps", "Times that outcomes were older than their retention", registry=registry
        )

    def recorded(self, fires: Iterable[Fire]) -> None:
        """Counts fires that were recorded."""
        for fire in fires:
            self.fires.labels(fire.kind.name, fire.disposition.name).inc()
