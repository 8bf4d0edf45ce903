"""What a schedule must satisfy before it is stored."""

from datetime import timedelta

import pytest

from scheduler_service.domain.catch_up import CatchUp
from scheduler_service.domain.errors import InvalidSchedule
from scheduler_service.domain.events import MAX_DEPTH, event_disposition
from scheduler_service.domain.fire import Disposition
from scheduler_service.domain.overlap import Overlap, effective_overlap
from scheduler_service.domain.rules import check_definition
from scheduler_service.domain.spec import CronSpec, EventSpec, IntervalSpec, OneShotSpec, Spec
from scheduler_service.domain.timing import Timing
from tests.support.walker import utc
from tests.unit.scheduler.making import definition

MINUTE = timedelta(minutes=1)
LISTENING = Timing(specs=(EventSpec("a"),))


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (CronSpec("0 0 31 2 *"), "specs[0].cron.expression"),
        (IntervalSpec(timedelta(microseconds=1_000_001)), "specs[0].interval.every"),
        (IntervalSpec(MINUTE, timedelta(microseconds=1)), "specs[0].interval.phase"),
        (IntervalSpec(MINUTE, 2 * MINUTE), "specs[0].interval.phase"),
        (OneShotSpec(utc("1969-12-31T23:59")), "specs[0].one_shot.time"),
        (OneShotSpec(utc("9000-01-01T00:00")), "specs[0].one_shot.time"),
    ],
)
def test_violation_names_its_path(spec: Spec, field: str) -> None:
    with pytest.raises(InvalidSchedule) as refused:
        check_definition(definition(spec))
    assert refused.value.violations[0].field == field


def test_unknown_zone_is_named() -> None:
    with pytest.raises(InvalidSchedule) as refused:
        check_definition(definition(zone="Mars/Olympus"))
    assert refused.value.field == "time_zone"


def test_catch_up_all_needs_an_overlap_that_lets_more_than_one_in() -> None:
    for overlap in (Overlap.SKIP, Overlap.DEFAULT, Overlap.BUFFER_ONE, Overlap.CANCEL_OTHER):
        with pytest.raises(InvalidSchedule, match="catch_up_policy"):
            check_definition(definition(catch_up=CatchUp.ALL, overlap=overlap))
    check_definition(definition(catch_up=CatchUp.ALL, overlap=Overlap.BUFFER_ALL))
    check_definition(definition(EventSpec("a"), catch_up=CatchUp.ALL, overlap=Overlap.DEFAULT))


def test_unset_overlap_means_skip_for_time_and_buffer_for_events() -> None:
    assert effective_overlap(Overlap.DEFAULT, Timing(specs=(CronSpec("@daily"),))) is Overlap.SKIP
    assert effective_overlap(Overlap.DEFAULT, LISTENING) is Overlap.BUFFER_ALL
    assert effective_overlap(Overlap.ALLOW_ALL, LISTENING) is Overlap.ALLOW_ALL


def test_chain_of_triggers_is_cut_beyond_the_limit() -> None:
    assert event_disposition(0)[0] is Disposition.PENDING
    assert event_disposition(MAX_DEPTH)[0] is Disposition.PENDING
    disposition, detail = event_disposition(MAX_DEPTH + 1)
    assert disposition is Disposition.LOOP_CUT
    assert str(MAX_DEPTH + 1) in detail
