"""Refused fires are told, once in a while for each schedule and reason."""

from datetime import timedelta

import structlog

from scheduler_service.app import refusals
from scheduler_service.app.refusals import QUIET, Refusals
from scheduler_service.store.outbox import Parcel
from tests.support.walker import utc

NOW = utc("2026-01-01T00:00")


def fire(number: int, schedule_id: str = "s", namespace: str = "default") -> Parcel:
    return Parcel(number, namespace, schedule_id, f"{schedule_id}.{number}", b"")


def told(*said: tuple[Parcel, str, timedelta]) -> list[tuple[str, str, str]]:
    """Schedule, fire and reason of the warnings after refusals at these times from now on."""
    refused = Refusals()
    with structlog.testing.capture_logs() as records:
        for parcel, reason, after in said:
            refused.tell(parcel, reason, NOW + after)
    assert {record["log_level"] for record in records} <= {"warning"}
    return [(record["schedule_id"], record["fire_id"], record["reason"]) for record in records]


def test_a_schedule_that_is_refused_again_and_again_is_told_once_in_a_while() -> None:
    soon = timedelta(seconds=1)
    assert told(
        (fire(1), "too large", timedelta(0)), (fire(2), "too large", soon), (fire(3), "too large", QUIET)
    ) == [("s", "s.1", "too large"), ("s", "s.3", "too large")]


def test_another_schedule_namespace_or_reason_is_told_too() -> None:
    none = timedelta(0)
    refused = (fire(1), fire(2, "other"), fire(3, namespace="elsewhere"))
    assert len(told(*((parcel, "too large", none) for parcel in refused), (fire(4), "too old", none))) == 4


def test_what_is_remembered_is_bounded() -> None:
    many = Refusals()
    with structlog.testing.capture_logs():
        for number in range(refusals.MOST_REMEMBERED + 5):
            many.tell(fire(1, f"s{number}"), "too large", NOW)
    assert len(many._warned) == refusals.MOST_REMEMBERED
