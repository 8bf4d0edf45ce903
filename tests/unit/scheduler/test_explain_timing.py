"""What a person is told that a schedule's timing means."""

from datetime import UTC, datetime, timedelta

from scheduler_service.domain.explain_timing import explain_timing
from scheduler_service.domain.spec import CronSpec, EventSpec, IntervalSpec, OneShotSpec
from scheduler_service.domain.timing import Closed, Fold, Gap, Timing


def test_each_specification_and_each_rule_is_one_sentence() -> None:
    timing = Timing(
        specs=(CronSpec("H 9 * * MON-FRI"), IntervalSpec(timedelta(hours=6)), CronSpec("@every 1h")),
        exclusions=(CronSpec("0 9 24 12 *"), OneShotSpec(datetime(2027, 1, 1, tzinfo=UTC))),
        time_zone="Europe/Berlin",
        start=datetime(2026, 1, 1, tzinfo=UTC),
        end=datetime(2026, 12, 31, 12, 0, 1, tzinfo=UTC),
        gap=Gap.SHIFT,
        fold=Fold.BOTH,
        include_calendars=("a", "b"),
        exclude_calendars=("holidays",),
        closed=Closed.NEXT_BUSINESS_DAY,
        jitter=timedelta(minutes=5),
        spread=timedelta(hours=1),
    )
    assert explain_timing(timing, "nightly-report") == (
        "At 09:39 (chosen by the schedule's id), Monday to Friday, on the clock of Europe/Berlin.",
        "Every 6 hours, counted from 1970-01-01 00:00 UTC.",
        "Every hour, counted from 1970-01-01 00:00 UTC.",
        "But not at 09:00 on 24 December.",
        "But not at 2027-01-01 00:00 UTC.",
        "Fires from 2026-01-01 00:00:00 UTC on.",
        "Fires until 2026-12-31 12:00:01 UTC.",
        "A time that is skipped when clocks are set forward fires as much later "
        "as the clock was set forward.",
        "A time that comes twice when clocks are set back fires both times.",
        "Open only inside the calendar a or b.",
        "Closed inside the calendar holidays.",
        "When the calendars close a time, it fires at the same time of the next open day.",
        "Each time later by the same part of 1 hour, chosen by the schedule's id.",
        "Each time up to 5 minutes later, and always before the next time.",
    )


def test_rules_left_at_their_defaults_are_not_told() -> None:
    assert explain_timing(Timing(specs=(CronSpec("@daily"),))) == (
        "At 00:00 every day, on the clock of UTC.",
    )


def test_rules_of_the_clock_are_not_told_of_intervals() -> None:
    timing = Timing(specs=(IntervalSpec(timedelta(hours=1)),), gap=Gap.SKIP, fold=Fold.LAST)
    assert len(explain_timing(timing)) == 1


def test_events_are_listened_to() -> None:
    timing = Timing(specs=(EventSpec("a"),), start=datetime(2026, 1, 1, tzinfo=UTC))
    assert explain_timing(timing) == (
        "On every event of type a.",
        "Listens from 2026-01-01 00:00:00 UTC on.",
    )
