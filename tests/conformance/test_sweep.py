"""The timetable against a walker that shares no code with it, at the changes of the world's clocks."""

import os
import random
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context

import pytest

from tests.conformance.changes import Change, changes, zones
from tests.conformance.panel import PANEL
from tests.conformance.sweep import Tally, sweep_sample, sweep_year

YEARS = range(1970, 2038)

KINDS = [
    ("Europe/Berlin", 2026, 0),
    ("Europe/Berlin", 2026, 1),
    ("America/New_York", 2026, 1),
    ("Australia/Lord_Howe", 2026, 0),
    ("Australia/Lord_Howe", 2026, 1),
    ("America/Santiago", 2026, 1),
    ("Asia/Beirut", 2026, 0),
    ("Africa/Cairo", 2024, 1),
    ("America/Sao_Paulo", 2018, 1),
    ("Africa/Casablanca", 2026, 0),
    ("Europe/Dublin", 2026, 1),
    ("Antarctica/Troll", 2026, 0),
    ("Antarctica/Troll", 2026, 1),
    ("Pacific/Apia", 2011, -1),
    ("Pacific/Kwajalein", 1993, 0),
    ("America/Caracas", 2007, 0),
    ("Asia/Pyongyang", 2018, 0),
    ("Asia/Kathmandu", 1985, 0),
]


@pytest.mark.parametrize(("zone", "year", "number"), KINDS)
def test_each_kind_of_change_agrees_under_every_policy(zone: str, year: int, number: int) -> None:
    tally = sweep_sample([list(changes(zone, year))[number]], PANEL[::3])
    assert tally.differences == []
    assert tally.timelines > 100


def test_a_sample_of_all_changes_agrees_under_every_policy() -> None:
    draw = random.Random(20260301)
    found: list[Change] = []
    while len(found) < 6:
        found += list(changes(draw.choice(zones()), draw.choice(YEARS)))[:1]
    assert sweep_sample(found, PANEL).differences == []


def test_a_clock_set_by_seconds_agrees() -> None:
    """Monrovia left 00:44:30 in 1972: a gap that does not begin or end at a whole minute."""
    (change,) = changes("Africa/Monrovia", 1972)
    assert change.size == timedelta(minutes=44, seconds=30)
    assert sweep_sample([change], ["*/7 * * * *", "* 0-4 * * *"]).differences == []


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_every_change_of_every_zone_from_1970_to_2037_agrees(capsys: pytest.CaptureFixture[str]) -> None:
    total, started = Tally(), datetime.now(UTC)
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool, capsys.disabled():
        for year, tally in zip(YEARS, pool.map(sweep_year, YEARS), strict=True):
            total.add(tally)
            print(
                f"\r{len(zones())} zones to the end of {year}: {total.changes:,} changes, "
                f"{total.timelines:,} timelines, {total.instants:,} instants, "
                f"{len(total.differences)} differences, {datetime.now(UTC) - started}",
                end="",
                flush=True,
            )
        print()
    assert total.differences[:20] == []
    assert total.changes > 15_000
