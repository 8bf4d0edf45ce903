"""Every instant ends in exactly one disposition, whatever the downtime, the policy and the changes."""

from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler_service.domain.catch_up import CatchUp, Settled
from scheduler_service.domain.change import disable, edit, enable
from scheduler_service.domain.fire import Disposition
from scheduler_service.domain.jitter import offset
from scheduler_service.domain.plan import pause, plan
from scheduler_service.domain.schedule import Definition
from scheduler_service.domain.spec import CronSpec, IntervalSpec, OneShotSpec, Spec
from tests.support.walker import utc, walk
from tests.unit.scheduler.making import definition, schedule, timetable_of

START = utc("2026-03-29T00:00")
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
EVERY_FIVE = timetable_of(CronSpec("*/5 * * * *"))

Record = tuple[datetime, Disposition]


DAYS = timedelta(days=5)


@lru_cache(maxsize=64)
def universe(spec: Spec) -> list[datetime]:
    """The instants of some days around START, found without the code under test. Zone: Europe/Berlin."""
    if isinstance(spec, CronSpec):
        return list(walk(spec.expression, "Europe/Berlin", START - HOUR, START + DAYS))
    assert isinstance(spec, IntervalSpec)
    every, phase = int(spec.every.total_seconds()), int(spec.phase.total_seconds())
    seconds = range(int((START - HOUR).timestamp()), int((START + DAYS).timestamp()))
    return [
        datetime.fromtimestamp(second, START.tzinfo) for second in seconds if second % every == phase % every
    ]


def listed(spec: Spec, after: datetime, until: datetime) -> list[datetime]:
    """The instants in (after, until]."""
    instants = universe(spec)
    return instants[bisect_right(instants, after) : bisect_right(instants, until)]


@dataclass(frozen=True)
class Delays:
    """Jitter and spread of the schedule `nightly`."""

    jitter: timedelta = timedelta()
    spread: timedelta = timedelta()

    def due(self, spec: Spec, nominal: datetime) -> datetime:
        following = listed(spec, nominal, START + DAYS)[0]
        return nominal + offset("nightly", nominal, self.jitter, self.spread, following)


@dataclass
class Model:
    """What the documents promise, spelled out instant by instant."""

    spec: Spec
    catch_up: CatchUp
    window: timedelta
    position: datetime
    enabled: bool = True
    delays: Delays = Delays()
    records: list[Record] = field(default_factory=list)

    def due(self, now: datetime, at_once: bool = False) -> list[datetime]:
        instants = listed(self.spec, self.position, now)
        return [at for at in instants if at_once or self.delays.due(self.spec, at) <= now]

    def plan(self, now: datetime, limit: int, at_once: bool = False) -> None:
        due = self.due(now, at_once)
        window = timedelta(seconds=10) if self.catch_up is CatchUp.NONE else self.window
        born = {at: at if at_once else self.delays.due(self.spec, at) for at in due}
        old = [at for at in due if now - born[at] > window]
        rest = due[len(old) :]
        self.records += [(at, Disposition.MISSED_WINDOW) for at in old]
        self.position = max([self.position, *due])
        if self.catch_up in (CatchUp.ALL, CatchUp.NONE):
            fired = rest[:limit]
            self.records += [(at, Disposition.PENDING) for at in fired]
            if len(fired) == limit:
                self.position = fired[-1]
        elif self.catch_up is CatchUp.EARLIEST:
            self.records += [(at, Disposition.PENDING) for at in rest[:1]]
            self.records += [(at, Disposition.COALESCED) for at in rest[1:]]
        elif rest:
            self.records += [(at, Disposition.COALESCED) for at in rest[:-1]]
            self.records.append((rest[-1], Disposition.PENDING))

    def settle(self, now: datetime, at_once: bool = False) -> None:
        if not self.enabled:
            due = self.due(now, at_once)
            self.records += [(at, Disposition.PAUSED) for at in due]
            self.position = max([self.position, *due])
            return
        while True:
            self.plan(now, 1000, at_once)
            if not self.due(now, at_once):
                return


def expanded(spec: Spec, settled: list[Settled]) -> list[Record]:
    """Ranges as single instants; their counts are checked on the way."""
    records: list[Record] = []
    for item in settled:
        last = item.last_nominal or item.nominal
        instants = listed(spec, item.nominal - timedelta(seconds=1), last)
        assert instants[0] == item.nominal
        assert instants[-1] == last
        assert item.count == len(instants)
        assert (item.last_nominal is None) == (len(instants) == 1)
        records += [(at, item.disposition) for at in instants]
    return records


SPECS = st.sampled_from(
    [
        CronSpec("*/7 * * * *"),
        CronSpec("0,30 1-3 * * *"),
        CronSpec("30 2 * * *"),
        CronSpec("15 */2 * * *"),
        IntervalSpec(timedelta(seconds=90)),
        IntervalSpec(timedelta(minutes=11), timedelta(minutes=3)),
    ]
)
WINDOWS = st.sampled_from([timedelta(seconds=10), timedelta(minutes=20), timedelta(hours=3)])
POLICIES = st.sampled_from([CatchUp.LATEST, CatchUp.ALL, CatchUp.EARLIEST, CatchUp.NONE])
SECONDS = st.sampled_from([0, 0, 45, 600, 7200]).map(lambda seconds: timedelta(seconds=seconds))
DELAYS = st.builds(Delays, SECONDS, SECONDS)
GAPS = st.integers(0, 4 * 3600).map(lambda seconds: timedelta(seconds=seconds))


@given(SPECS, POLICIES, WINDOWS, DELAYS, st.lists(GAPS, min_size=1, max_size=6), st.integers(1, 5))
@settings(max_examples=100, deadline=None)
def test_each_instant_has_one_disposition_whatever_the_downtime(
    spec: Spec,
    catch_up: CatchUp,
    window: timedelta,
    delays: Delays,
    gaps: list[timedelta],
    limit: int,
) -> None:
    now = START
    made = definition(
        spec,
        zone="Europe/Berlin",
        catch_up=catch_up,
        window=window,
        jitter=delays.jitter,
        spread=delays.spread,
    )
    current = schedule(START, made)
    model = Model(spec, catch_up, window, START, delays=delays)
    settled: list[Settled] = []
    for gap in gaps:
        now += gap
        planned = current.due(now, limit)
        settled += planned.settled
        current = current.after(planned)
        model.plan(now, limit)
        following = listed(spec, current.watermark, START + DAYS)[0]
        assert (current.next_fire, current.due_at) == (following, delays.due(spec, following))
    assert expanded(spec, settled) == model.records


ACTIONS = st.sampled_from(["step", "disable", "enable", "edit"])


@given(
    st.lists(st.tuples(GAPS, ACTIONS, SPECS), min_size=1, max_size=8),
    SPECS,
    POLICIES,
    WINDOWS,
    DELAYS,
    st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_each_instant_has_one_disposition_whatever_the_changes(
    actions: list[tuple[timedelta, str, Spec]],
    spec: Spec,
    catch_up: CatchUp,
    window: timedelta,
    delays: Delays,
    enabled: bool,
) -> None:
    def wanted(spec: Spec) -> Definition:
        return definition(
            spec,
            zone="Europe/Berlin",
            catch_up=catch_up,
            window=window,
            jitter=delays.jitter,
            spread=delays.spread,
        )

    now = START
    current = schedule(now, wanted(spec), enabled=enabled)
    model = Model(spec, catch_up, window, START, enabled, delays)
    records: list[Record] = []
    for gap, action, other in actions:
        now += gap
        in_force = current.definition.timing.specs[0]
        settled: list[Settled] = []
        if action == "step" and current.enabled:
            planned = current.due(now)
            current, settled = current.after(planned), planned.settled
            model.plan(now, 1000)
        elif action in ("disable", "enable"):
            change = (disable if action == "disable" else enable)(current, now, f"{now}", "ann")
            current, settled = change.schedule, change.settled
            if model.enabled != (action == "enable"):
                model.settle(now)
            model.enabled = action == "enable"
        elif action == "edit":
            change = edit(current, wanted(other), now)
            current, settled = change.schedule, change.settled
            model.settle(now, at_once=True)
            model.spec, model.position = other, now
        records += expanded(in_force, settled)
        assert (current.next_fire is None) == (not current.enabled)
    assert records == model.records
    assert len({at for at, _ in records}) == len(records)


def test_latest_fires_the_last_and_coalesces_the_others_into_it() -> None:
    planned = plan(EVERY_FIVE, CatchUp.LATEST, HOUR, START, START + timedelta(minutes=31))
    coalesced, fired = planned.settled
    assert fired == Settled(START + timedelta(minutes=30), Disposition.PENDING)
    assert coalesced.disposition is Disposition.COALESCED
    assert (coalesced.nominal, coalesced.last_nominal) == (START + 5 * MINUTE, START + 25 * MINUTE)
    assert coalesced.count == 5
    assert "2026-03-29T00:30:00" in coalesced.detail
    assert planned.next_fire == START + 35 * MINUTE


def test_what_is_older_than_the_window_is_missed_and_its_edge_is_inside() -> None:
    now = START + timedelta(hours=2)
    planned = plan(EVERY_FIVE, CatchUp.ALL, HOUR, START, now)
    missed, *fired = planned.settled
    assert missed.disposition is Disposition.MISSED_WINDOW
    assert missed.detail == "older than the catch-up window of 1h"
    assert (missed.nominal, missed.last_nominal) == (START + 5 * MINUTE, START + 55 * MINUTE)
    assert [item.nominal for item in fired] == [now - HOUR + 5 * n * MINUTE for n in range(13)]
    assert {item.disposition for item in fired} == {Disposition.PENDING}


def test_all_goes_on_where_its_limit_stopped_it() -> None:
    now = START + timedelta(minutes=31)
    first = plan(EVERY_FIVE, CatchUp.ALL, HOUR, START, now, limit=4)
    assert (first.watermark, first.next_fire) == (START + 20 * MINUTE, START + 25 * MINUTE)
    second = plan(EVERY_FIVE, CatchUp.ALL, HOUR, first.watermark, now, limit=4)
    assert [item.nominal for item in second.settled] == [START + 25 * MINUTE, START + 30 * MINUTE]
    assert second.next_fire == START + 35 * MINUTE


@pytest.mark.parametrize("catch_up", list(CatchUp))
def test_a_clock_that_went_back_fires_nothing_again(catch_up: CatchUp) -> None:
    later = START + timedelta(minutes=12)
    watermark = plan(EVERY_FIVE, catch_up, HOUR, START, later).watermark
    planned = plan(EVERY_FIVE, catch_up, HOUR, watermark, START + 6 * MINUTE)
    assert planned.settled == []
    assert planned.watermark == watermark
    assert planned.next_fire == START + 15 * MINUTE


def test_months_of_downtime_are_one_range_and_cost_no_listing() -> None:
    every_second = timetable_of(IntervalSpec(timedelta(seconds=1)))
    now = START + timedelta(days=300)
    planned = plan(every_second, CatchUp.LATEST, HOUR, START, now)
    assert [item.count for item in planned.settled] == [300 * 86400 - 3601, 3600, 1]
    cron = timetable_of(CronSpec("* * * * *"), "Europe/Berlin")
    missed = plan(cron, CatchUp.LATEST, HOUR, START, now).settled[0]
    assert missed.count == 300 * 1440 - 61


def test_a_pause_is_one_range() -> None:
    planned = pause(EVERY_FIVE, START, START + HOUR)
    (paused,) = planned.settled
    assert paused.disposition is Disposition.PAUSED
    assert (paused.nominal, paused.last_nominal, paused.count) == (START + 5 * MINUTE, START + HOUR, 12)


def test_a_one_shot_of_the_past_fires_within_the_window_and_is_missed_beyond() -> None:
    for age, disposition in ((MINUTE, Disposition.PENDING), (2 * HOUR, Disposition.MISSED_WINDOW)):
        made = schedule(START, definition(OneShotSpec(START - age)))
        assert made.next_fire == START - age
        planned = made.due(START)
        assert [item.disposition for item in planned.settled] == [disposition]
        assert planned.next_fire is None


def test_a_one_shot_edited_into_the_past_is_due_unless_it_has_a_record() -> None:
    current = schedule(START)
    past = definition(OneShotSpec(START + MINUTE))
    now = START + 2 * MINUTE
    assert edit(current, past, now, reopen=START + MINUTE).schedule.next_fire == START + MINUTE
    assert edit(current, past, now).schedule.next_fire is None


def test_an_edit_that_leaves_the_one_shot_alone_does_not_fire_it_again() -> None:
    current = schedule(START, definition(OneShotSpec(START + MINUTE)))
    planned = current.due(START + 2 * MINUTE)
    current = current.after(planned)
    same = definition(OneShotSpec(START + MINUTE), window=2 * HOUR)
    assert edit(current, same, START + 3 * MINUTE).schedule.next_fire is None


def test_a_one_shot_edited_away_before_it_was_due_is_settled_once() -> None:
    """Lowering the watermark for a one-shot of the past never reopens instants of another specification."""
    current = edit(
        schedule(START), definition(OneShotSpec(START - MINUTE)), START, reopen=START - MINUTE
    ).schedule
    change = edit(current, definition(), START + 7 * MINUTE)
    assert [item.nominal for item in change.settled] == [START - MINUTE]
    assert change.schedule.next_fire == START + 10 * MINUTE


def test_repeating_a_switch_changes_nothing() -> None:
    once = disable(schedule(START), START + MINUTE, "holiday", "ann").schedule
    assert once.generation == 2
    for note in ("holiday", ""):
        again = disable(once, START + 2 * MINUTE, note, "bob")
        assert again.schedule == once
        assert again.settled == []


def test_a_switch_that_is_on_already_takes_another_note() -> None:
    once = disable(schedule(START), START + MINUTE, "holiday", "ann").schedule
    again = disable(once, START + 2 * MINUTE, "longer holiday", "bob").schedule
    assert (again.note, again.note_actor, again.generation) == ("longer holiday", "bob", 3)


def test_a_switch_without_a_note_drops_that_of_the_state_before() -> None:
    off = disable(schedule(START), START + MINUTE, "holiday", "ann").schedule
    on = enable(off, START + 2 * MINUTE, "", "bob").schedule
    assert (on.note, on.note_actor) == ("", "bob")
