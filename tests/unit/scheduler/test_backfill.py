"""Backfills: every instant of the stretch once, oldest first, at the rate that was asked for."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler_service.domain.backfill import (
    Backfill,
    BackfillState,
    count_instants,
    first_instants,
    lowered,
)
from scheduler_service.domain.errors import InvalidBackfill
from scheduler_service.domain.overlap import Overlap
from scheduler_service.domain.spec import CronSpec, IntervalSpec
from scheduler_service.domain.timing import Timing
from tests.support.walker import utc, walk
from tests.unit.scheduler.making import INCARNATION, timetable_of

NOON = utc("2026-05-04T12:00")
HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
CRON = CronSpec("*/7 * * * *")
TABLE = timetable_of(CRON)


def backfill(from_at: datetime, until_at: datetime, per_minute: int = 60) -> Backfill:
    first = first_instants(TABLE, from_at, until_at, 1)
    return Backfill(
        namespace="default",
        backfill_id="b",
        schedule_id="nightly",
        incarnation=INCARNATION,
        timing=Timing(specs=(CRON,)),
        from_at=from_at,
        until_at=until_at,
        per_minute=per_minute,
        overlap=Overlap.BUFFER_ALL,
        priority=3,
        state=BackfillState.RUNNING,
        total=count_instants(TABLE, from_at, until_at),
        fired=0,
        accepted=0,
        refused=0,
        next_at=None,
        turn_at=NOON,
        actor="ann",
        created_at=NOON,
        ended_at=None,
    ).standing(first[0] if first else None, NOON)


STEPS = st.lists(
    st.integers(0, 5_000_000).map(lambda us: timedelta(microseconds=us)), min_size=1, max_size=40
)
BOUNDS = st.integers(-3000, 3000).map(lambda minutes: NOON + timedelta(minutes=minutes))


@given(BOUNDS, st.integers(1, 900), st.integers(1, 60_000), STEPS, st.integers(1, 20))
@settings(deadline=None)
def test_each_instant_is_fired_once_at_no_more_than_the_rate(
    from_at: datetime, minutes: int, per_minute: int, steps: list[timedelta], limit: int
) -> None:
    until_at = from_at + timedelta(minutes=minutes)
    instants = [
        at for at in walk(CRON.expression, "UTC", from_at - MINUTE, until_at) if from_at <= at < until_at
    ]
    current, now = backfill(from_at, until_at, per_minute), NOON
    assert current.total == len(instants)
    fired: list[datetime] = []
    for step in steps:
        now += step
        made, current = current.turn(TABLE, now, limit)
        assert len(made) <= limit
        fired += made
        # As many as have had their turn since the start, and never a stall made up for.
        assert len(fired) <= (now - NOON) // (MINUTE / per_minute) + 1
        assert current.fired == len(fired)
        assert (current.state is BackfillState.DONE) == (len(fired) == len(instants))
        assert (current.next_at is None) == (current.ended_at is not None)
    assert fired == instants[: len(fired)]


def test_stall_is_made_up_for_by_one_second_at_most() -> None:
    stalled = backfill(NOON, NOON + 1000 * HOUR, per_minute=600)
    made, after = stalled.turn(TABLE, NOON + HOUR, 500)
    assert len(made) == 11
    assert after.turn_at > NOON + HOUR


def test_cancelled_one_fires_nothing_and_one_that_has_ended_stays_as_it_is() -> None:
    running = backfill(NOON, NOON + HOUR)
    cancelled = running.cancelled(NOON + SECOND)
    assert (cancelled.state, cancelled.next_at) == (BackfillState.CANCELLED, None)
    assert cancelled.turn(TABLE, NOON + MINUTE, 10) == ([], cancelled)
    done = replace(running, state=BackfillState.DONE, next_at=None, ended_at=NOON)
    assert done.cancelled(NOON + SECOND) is done


def test_empty_stretch_is_done_at_once() -> None:
    empty = backfill(NOON + MINUTE, NOON + 2 * MINUTE)
    assert (empty.total, empty.state) == (0, BackfillState.DONE)


def test_million_instants_are_the_most() -> None:
    table = timetable_of(IntervalSpec(SECOND))
    assert count_instants(table, NOON, NOON + 1_000_000 * SECOND) == 1_000_000
    with pytest.raises(InvalidBackfill, match="1,000,000"):
        count_instants(table, NOON, NOON + 1_000_001 * SECOND)


def test_priority_is_lowered_by_two_but_not_below_one() -> None:
    assert [lowered(priority) for priority in (10, 5, 3, 2, 1)] == [8, 3, 1, 1, 1]
