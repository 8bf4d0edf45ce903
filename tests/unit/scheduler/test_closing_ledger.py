"""Every instant of a schedule with calendars ends in one disposition, whatever happens meanwhile."""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler_service.domain import change
from scheduler_service.domain.calendar import CalendarRules, Period
from scheduler_service.domain.calendared import calendared
from scheduler_service.domain.catch_up import CatchUp, Settled
from scheduler_service.domain.closing import Closing
from scheduler_service.domain.fire import Disposition
from scheduler_service.domain.recalendared import recalendared
from scheduler_service.domain.schedule import Schedule
from scheduler_service.domain.spec import CronSpec, IntervalSpec, Spec
from scheduler_service.domain.timetable import timetable
from scheduler_service.domain.timing import Closed
from tests.unit.scheduler.making import definition, schedule
from tests.unit.scheduler.test_closing import DAY, HOUR, instant

START = instant("03-02T00:00")
SPECS: tuple[Spec, ...] = (CronSpec("0 9 * * *"), CronSpec("30 23 * * *"), IntervalSpec(7 * HOUR))
NOT_FIRED = (Disposition.SKIPPED_CALENDAR, Disposition.DEFERRED)


@dataclass
class Ledger:
    """A schedule, and what was recorded of it."""

    schedule: Schedule
    now: datetime = START
    records: list[Settled] = field(default_factory=list)
    expected: Counter[bool] = field(default_factory=Counter)
    """Instants that have passed, by whether they were open, as the calendars said at the time."""

    def take(self, made: list[Settled], after: Schedule) -> None:
        self.records += made
        self.schedule = after

    def step(self) -> None:
        """As the due loop does."""
        while self.schedule.due_at is not None and self.schedule.due_at <= self.now:
            planned = self.schedule.due(self.now)
            self.take(planned.settled, self.schedule.after(planned))

    def wait(self, hours: int) -> None:
        until = self.now + hours * HOUR
        table = self.schedule.timetable
        base, reached = timetable(self.schedule.definition.timing), self.now
        while (found := base.next_after(reached)) is not None and found <= until:
            self.expected[not (isinstance(table, Closing) and table.closure.is_closed(found))] += 1
            reached = found
        self.now = until


def rules(hours: list[tuple[int, int]]) -> CalendarRules:
    return CalendarRules(
        periods=tuple(Period(START + at * HOUR, START + (at + length) * HOUR) for at, length in hours)
    )


closed_hours = st.lists(st.tuples(st.integers(0, 1000), st.integers(1, 90)), max_size=6)
events = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.integers(1, 60)),
        st.tuples(st.just("step"), st.none()),
        st.tuples(st.just("pause"), st.none()),
        st.tuples(st.just("resume"), st.none()),
        st.tuples(st.just("recalendar"), closed_hours),
        st.tuples(st.just("edit"), st.none()),
    ),
    max_size=25,
)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(SPECS),
    st.sampled_from(list(Closed)),
    st.sampled_from(list(CatchUp)),
    closed_hours,
    events,
)
def test_each_instant_has_one_record(
    spec: Spec,
    closes: Closed,
    catch_up: CatchUp,
    hours: list[tuple[int, int]],
    happening: list[tuple[str, object]],
) -> None:
    made = definition(spec, catch_up=catch_up)
    made = replace(made, timing=replace(made.timing, exclude_calendars=("c",), closed=closes))
    fresh = replace(schedule(START, definition(spec)), definition=made, timed_from=START)
    ledger = Ledger(replace(fresh, calendars=(("c", rules(hours)),)).settled_until(START))
    for what, given_ in happening:
        match what, given_:
            case "wait", int(length):
                ledger.wait(length)
            case "step", _:
                ledger.step()
            case "pause", _:
                done = change.disable(ledger.schedule, ledger.now, "", "")
                ledger.take(done.settled, done.schedule)
            case "resume", _:
                done = change.enable(ledger.schedule, ledger.now, "", "")
                ledger.take(done.settled, done.schedule)
            case "edit", _:
                edited = replace(made, max_runs=0, window=timedelta(hours=1 + len(ledger.records) % 3))
                done = change.edit(ledger.schedule, edited, ledger.now, calendars=ledger.schedule.calendars)
                ledger.take(done.settled, done.schedule)
            case "recalendar", list(hours):
                done = recalendared(ledger.schedule, ("c", rules(hours)), ledger.now)
                ledger.take(done.settled, done.schedule)
    done = change.settle(ledger.schedule, ledger.now)
    ledger.take(done.settled, done.schedule)
    left_out = [each for each in ledger.records if each.disposition in NOT_FIRED]
    assert sum(each.count for each in left_out) == ledger.expected[False]
    fired = [each for each in ledger.records if each.disposition not in NOT_FIRED]
    if closes in (Closed.DEFAULT, Closed.SKIP):
        assert sum(each.count for each in fired) == ledger.expected[True]
    nominals = Counter(each.nominal for each in ledger.records)
    assert set(nominals.values()) <= {1}


def test_closed_instants_are_recorded_though_nothing_fires_any_more() -> None:
    made = definition(CronSpec("0 9 * * *"))
    made = replace(made, timing=replace(made.timing, exclude_calendars=("c",)))
    always = CalendarRules(periods=(Period(START, START + 5000 * DAY),))
    table = calendared(made.timing, (("c", always),), "", START)
    assert table.next_after(START) is None
    ledger = Ledger(
        replace(
            schedule(START, definition()), definition=made, timed_from=START, calendars=(("c", always),)
        ).settled_until(START)
    )
    for _ in range(3):
        ledger.now += DAY
        ledger.step()
    assert [each.disposition for each in ledger.records] == [Disposition.SKIPPED_CALENDAR] * 3
    assert ledger.schedule.next_fire is None
