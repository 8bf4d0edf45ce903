"""What other rules of a zone change: only what lies behind their first difference, and that exactly."""

from datetime import datetime, timedelta

import pytest

from scheduler_service.domain.spec import CronSpec, IntervalSpec, Spec
from scheduler_service.domain.timing import Timing
from scheduler_service.domain.zone_rules import changed_zones, is_older, rules_in_use, zone_of
from tests.support.walker import utc

WINTER = utc("2026-01-10T00:00")
RULES = rules_in_use()
NAIROBI, BERLIN, LONDON = (RULES[f"{name}"] for name in ("Africa/Nairobi", "Europe/Berlin", "Europe/London"))
DAY = timedelta(days=1)


def timing(spec: Spec, name: str = "Europe/Berlin") -> Timing:
    return Timing(specs=(spec,), time_zone=name)


def test_every_zone_has_rules_and_they_are_those_in_use() -> None:
    assert len(RULES) > 400
    assert zone_of("Asia/Kathmandu", RULES["Asia/Kathmandu"]).offset(WINTER) == timedelta(hours=5, minutes=45)


def test_zone_whose_future_is_the_same_has_not_changed() -> None:
    """Files may differ in the past: Oslo has followed Berlin since 1996 whatever it did before."""
    assert changed_zones({"Europe/Berlin": BERLIN}, {"Europe/Berlin": BERLIN}, WINTER) == {}
    lisbon = {"x": RULES["Europe/Lisbon"]}
    assert lisbon["x"] != LONDON
    assert changed_zones(lisbon, {"x": LONDON}, WINTER) == {}
    assert list(changed_zones({"x": NAIROBI}, {"x": BERLIN}, WINTER)) == ["x"]


def test_instants_move_from_the_first_difference_on() -> None:
    """Moscow and Nairobi share an offset, Helsinki leaves it in winter: a zone that gives up summer time."""
    old = RULES["Europe/Helsinki"]
    name = "Africa/Nairobi"
    change = changed_zones({name: old}, {name: NAIROBI}, utc("2026-07-01T00:00"))[name]
    assert change.since == utc("2026-10-25T01:00")
    noon = timing(CronSpec("0 12 * * *"), name)
    assert change.moved(noon, "", utc("2026-07-01T00:00")) is None
    moved = change.moved(noon, "", utc("2026-10-20T10:00"))
    assert moved is not None
    assert (moved.old[:4], moved.new[:4]) == (
        [utc("2026-10-21T09:00") + n * DAY for n in range(4)],
        [utc("2026-10-21T09:00") + n * DAY for n in range(4)],
    )
    assert [later - at for at, later in zip(moved.new, moved.old, strict=True)][4:] == [
        timedelta(hours=1)
    ] * 6


@pytest.mark.parametrize("after", [utc("2026-03-20T00:00"), utc("2026-03-29T01:00"), utc("2026-11-01T00:00")])
@pytest.mark.parametrize("expression", ["0 12 * * *", "*/20 * * * *", "0 9 1 * *", "30 2 29 3 *"])
def test_short_cut_answers_as_the_comparison_does(after: datetime, expression: str) -> None:
    name = "Europe/Berlin"
    change = changed_zones({name: NAIROBI}, {name: BERLIN}, utc("2026-01-01T00:00"))[name]
    careful = change._replace(checked=utc("2999-01-01T00:00"))
    made = timing(CronSpec(expression))
    assert change.moved(made, "", after) == careful.moved(made, "", after)


def test_elapsed_time_never_moves() -> None:
    change = changed_zones({"Europe/Berlin": NAIROBI}, {"Europe/Berlin": BERLIN}, WINTER)["Europe/Berlin"]
    assert change.moved(timing(IntervalSpec(timedelta(hours=7))), "", WINTER) is None


def test_releases_are_ordered_where_they_are_known() -> None:
    assert is_older("2025c", "2026a")
    assert not is_older("2026a", "2026a")
    assert not is_older("2026b", "2026a")
    assert not is_older("unknown", "2026a")
    assert not is_older("2026a", "unknown")
