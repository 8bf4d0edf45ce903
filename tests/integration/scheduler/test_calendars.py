"""Schedules with calendars, and blackouts, on a real PostgreSQL and a fake queue."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, timedelta

import pytest
from batonpass.queue.v1 import intake_service_pb2 as queue_pb
from batonpass.scheduler.v1 import calendar_service_pb2 as pb
from batonpass.scheduler.v1 import schedule_pb2
from google.protobuf.duration_pb2 import Duration

from scheduler_service.domain.calendar import Blackout, CalendarDefinition, CalendarRules, Period
from scheduler_service.domain.errors import InvalidSchedule
from scheduler_service.domain.fire import Disposition, Fire
from scheduler_service.domain.spec import CronSpec
from scheduler_service.domain.timing import Closed
from service_kit.clock import ManualClock
from tests.integration.scheduler.calls import (
    ABORTED,
    EXISTS,
    INVALID,
    NOT_FOUND,
    PRECONDITION,
    Api,
    cron,
    refused,
    schedule,
    stamp,
)
from tests.integration.scheduler.conftest import MakeReplica
from tests.integration.scheduler.replica import ANN, Replica, at, definition
from tests.support.fake_queue import FakeQueue

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
HOURLY = CronSpec("0 * * * *")


def closed(*hours: tuple[int, int], blackout: Blackout | None = None) -> CalendarDefinition:
    """From hour to hour of 1 January 2026."""
    start = at("00:00")
    periods = tuple(Period(start + begin * HOUR, start + end * HOUR) for begin, end in hours)
    return CalendarDefinition(rules=CalendarRules(periods=periods), blackout=blackout)


async def hourly(replica: Replica, schedule_id: str = "a", closes: Closed = Closed.SKIP) -> None:
    timing = {"exclude_calendars": ("c",), "closed": closes}
    await replica.create(schedule_id, definition(HOURLY, timing=timing))


def told(fires: Sequence[Fire]) -> list[tuple[str, str, int]]:
    return [(f"{each.nominal:%H:%M}", each.disposition.name, each.count) for each in fires]


async def pass_hours(replica: Replica, clock: ManualClock, hours: int) -> None:
    for _ in range(hours * 4):
        clock.advance(HOUR / 4)
        await replica.fire_due()


async def test_closed_instant_does_not_fire_and_is_recorded_within_a_minute(
    replica: Replica, clock: ManualClock
) -> None:
    await replica.calendars.create(ANN, "c", closed((2, 4)))
    await hourly(replica)
    assert (await replica.schedules.get(ANN, "a")).next_fire == at("01:00")
    await pass_hours(replica, clock, 1)
    assert (await replica.schedules.get(ANN, "a")).next_fire == at("04:00")
    clock.advance(HOUR + MINUTE)
    await replica.fire_due()
    fires = await replica.fires("a")
    assert told(fires) == [("01:00", "PENDING", 1), ("02:00", "SKIPPED_CALENDAR", 1)]
    assert fires[1].detail == "closed by calendar c"
    assert await replica.waiting() == 1


async def test_deferred_instants_fire_once_when_it_opens(replica: Replica, clock: ManualClock) -> None:
    await replica.calendars.create(ANN, "c", closed((2, 4)))
    timing = {"exclude_calendars": ("c",), "closed": Closed.DEFER_TO_END}
    await replica.create("a", definition(CronSpec("30 * * * *"), timing=timing))
    clock.advance(4 * HOUR + 10 * MINUTE)
    await replica.fire_due()
    fires = await replica.fires("a")
    assert told(fires) == [
        ("00:30", "MISSED_WINDOW", 2),
        ("02:30", "DEFERRED", 2),
        ("04:00", "PENDING", 1),
    ]
    assert fires[1].detail == "closed by calendar c; fires at 2026-01-01T04:00:00.000000Z"


async def test_change_settles_what_had_come_by_the_old_rules(replica: Replica, clock: ManualClock) -> None:
    await replica.calendars.create(ANN, "c", closed((2, 4)))
    await hourly(replica)
    clock.advance(2 * HOUR + 10 * MINUTE)
    _, moved = await replica.calendars.update(ANN, "c", closed((0, 2), (3, 5)))
    assert moved == 1
    assert told(await replica.fires("a")) == [
        ("01:00", "MISSED_WINDOW", 1),
        ("02:00", "SKIPPED_CALENDAR", 1),
    ]
    await pass_hours(replica, clock, 3)
    assert told(await replica.fires("a"))[2:] == [
        ("03:00", "SKIPPED_CALENDAR", 1),
        ("04:00", "SKIPPED_CALENDAR", 1),
        ("05:00", "PENDING", 1),
    ]


async def test_repeated_change_moves_nothing(replica: Replica) -> None:
    await replica.calendars.create(ANN, "c", closed((2, 4)))
    await hourly(replica)
    updated, moved = await replica.calendars.update(ANN, "c", closed((2, 4)))
    assert (updated.version, moved) == (1, 0)


async def test_deferred_instant_fires_at_once_when_a_change_opens_the_calendar(
    replica: Replica, clock: ManualClock
) -> None:
    await replica.calendars.create(ANN, "c", closed((2, 20)))
    timing = {"exclude_calendars": ("c",), "closed": Closed.DEFER_TO_END}
    await replica.create("a", definition(CronSpec("0 3 * * *"), timing=timing))
    await pass_hours(replica, clock, 5)
    assert told(await replica.fires("a")) == [("03:00", "DEFERRED", 1)]
    await replica.calendars.update(ANN, "c", closed((2, 4)))
    fires = await replica.fires("a")
    assert told(fires)[1:] == [("05:00", "PENDING", 1)]
    assert fires[1].detail == "moved by a change of calendar c"


async def test_change_of_a_calendar_makes_no_more_fires_than_max_runs(
    replica: Replica, clock: ManualClock
) -> None:
    await replica.calendars.create(ANN, "c", closed((2, 20)))
    timing = {"exclude_calendars": ("c",), "closed": Closed.DEFER_TO_END}
    await replica.create("a", definition(HOURLY, timing=timing, max_runs=1))
    await pass_hours(replica, clock, 2)
    clock.advance(MINUTE)
    await replica.calendars.update(ANN, "c", closed((1, 2)))
    fires = await replica.fires("a")
    assert told(fires)[1:] == [("02:00", "DEFERRED", 1), ("02:01", "PAUSED", 1)]
    await replica.hand_over()
    assert (await replica.schedules.get(ANN, "a")).stats.run_count == 1


async def test_deferred_instant_of_a_disabled_schedule_ends_paused_when_a_change_opens_the_calendar(
    replica: Replica, clock: ManualClock
) -> None:
    await replica.calendars.create(ANN, "c", closed((2, 20)))
    await hourly(replica, closes=Closed.DEFER_TO_END)
    await pass_hours(replica, clock, 3)
    await replica.schedules.disable(ANN, "a", "")
    clock.advance(MINUTE)
    await replica.calendars.update(ANN, "c", closed((2, 3)))
    assert told(await replica.fires("a"))[-1] == ("03:01", "PAUSED", 1)


@pytest.mark.parametrize(
    ("calendars", "ending"), [(("c",), "SKIPPED_CALENDAR"), ((), "PENDING")], ids=["closed", "open"]
)
async def test_deferred_instant_has_an_end_when_an_edit_makes_other_instants(
    replica: Replica, clock: ManualClock, calendars: tuple[str, ...], ending: str
) -> None:
    await replica.calendars.create(ANN, "c", closed((2, 20)))
    timing = {"exclude_calendars": ("c",), "closed": Closed.DEFER_TO_END}
    await replica.create("a", definition(CronSpec("0 3 * * *"), timing=timing))
    await pass_hours(replica, clock, 5)
    timing = timing | {"exclude_calendars": calendars}
    await replica.schedules.update(ANN, "a", lambda _: definition(CronSpec("0 23 * * *"), timing=timing))
    fires = await replica.fires("a")
    assert told(fires) == [("03:00", "DEFERRED", 1), ("05:00", ending, 1)]
    assert fires[1].detail.startswith("was deferred when the schedule was changed")


async def test_deferred_instant_outlives_an_edit_of_its_delay(replica: Replica, clock: ManualClock) -> None:
    await replica.calendars.create(ANN, "c", closed((2, 6)))
    timing = {"exclude_calendars": ("c",), "closed": Closed.DEFER_TO_END}
    await replica.create("a", definition(CronSpec("0 3 * * *"), timing=timing))
    await pass_hours(replica, clock, 5)
    delayed = definition(CronSpec("0 3 * * *"), timing=timing, jitter=MINUTE)
    await replica.schedules.update(ANN, "a", lambda _: delayed)
    await pass_hours(replica, clock, 2)
    assert told(await replica.fires("a")) == [("03:00", "DEFERRED", 1), ("06:00", "PENDING", 1)]


async def test_deferred_instant_waits_longer_when_a_change_keeps_it_closed(
    replica: Replica, clock: ManualClock
) -> None:
    await replica.calendars.create(ANN, "c", closed((2, 5)))
    timing = {"exclude_calendars": ("c",), "closed": Closed.DEFER_TO_END}
    await replica.create("a", definition(CronSpec("0 3 * * *"), timing=timing))
    await pass_hours(replica, clock, 4)
    await replica.calendars.update(ANN, "c", closed((2, 7)))
    await pass_hours(replica, clock, 4)
    assert told(await replica.fires("a")) == [("03:00", "DEFERRED", 1), ("07:00", "PENDING", 1)]


async def test_change_and_firing_side_by_side_settle_each_instant_once(
    make_replica: MakeReplica, clock: ManualClock
) -> None:
    """Three replicas fire while a calendar is changed again and again."""
    replicas = [make_replica() for _ in range(3)]
    await replicas[0].calendars.create(ANN, "c", closed((1, 2)))
    for number in range(12):
        await hourly(replicas[0], f"s{number}")
    for round_ in range(1, 9):
        clock.advance(HOUR)
        change = closed((round_, round_ + 1), (round_ + 2, round_ + 3))
        await asyncio.gather(
            replicas[0].calendars.update(ANN, "c", change), *(each.due.step() for each in replicas[1:])
        )
        for each in replicas:
            await each.fire_due()
    clock.advance(2 * MINUTE)
    await replicas[0].fire_due()
    for number in range(12):
        fires = await replicas[0].fires(f"s{number}")
        instants = [each.nominal + hour * HOUR for each in fires for hour in range(each.count)]
        assert instants == [at("00:00") + hour * HOUR for hour in range(1, 9)]


async def test_schedule_that_waits_only_for_the_record_of_a_closed_instant_is_not_overdue(
    replica: Replica, clock: ManualClock
) -> None:
    """Nothing of it is to fire, also when the record is late."""
    await replica.calendars.create(ANN, "c", closed((0, 100)))
    await hourly(replica)
    once = {"exclude_calendars": ("c",), "end": at("20:00")}
    await replica.create("never", definition(HOURLY, timing=once))
    clock.advance(3 * HOUR)
    for schedule_id in ("a", "never"):
        assert not (await replica.schedules.get(ANN, schedule_id)).stats.overdue
    assert (await replica.ledger.totals(ANN, None)).overdue == 0
    await replica.watchdog.step()
    assert replica.registry.get_sample_value("batonpass_schedules_overdue") == 0
    await replica.fire_due()
    assert told(await replica.fires("never")) == [("01:00", "SKIPPED_CALENDAR", 3)]


async def test_schedule_that_names_an_unknown_calendar_is_refused(replica: Replica, api: Api) -> None:
    said = await refused(api.CreateSchedule(schedule=schedule(exclude_calendars=["no"])), INVALID)
    assert said.violations == {"schedule.exclude_calendars[0]": "there is no calendar 'no' in this namespace"}
    await api.CreateSchedule(schedule=schedule())
    changed = schedule(include_calendars=["no"])
    update = api.UpdateSchedule(schedule=changed, update_mask={"paths": ["include_calendars"]})
    assert "schedule.include_calendars[0]" in (await refused(update, INVALID)).violations


async def test_calendar_in_use_is_not_deleted(replica: Replica, api: Api) -> None:
    await replica.calendars.create(ANN, "c", closed((2, 4)))
    await hourly(replica)
    said = await refused(api.DeleteCalendar(calendar_id="c"), PRECONDITION)
    assert said.reason == "CALENDAR_IN_USE"
    await api.DeleteSchedule(schedule_id="a")
    await api.DeleteCalendar(calendar_id="c")
    assert (await refused(api.GetCalendar(calendar_id="c"), NOT_FOUND)).reason == "CALENDAR_NOT_FOUND"


async def test_edit_that_takes_the_calendar_out_fires_from_then_on(
    replica: Replica, clock: ManualClock
) -> None:
    await replica.calendars.create(ANN, "c", closed((2, 4)))
    await hourly(replica)
    clock.advance(2 * HOUR + 10 * MINUTE)
    await replica.schedules.update(ANN, "a", lambda _: definition(HOURLY))
    await pass_hours(replica, clock, 1)
    assert told(await replica.fires("a")) == [
        ("01:00", "MISSED_WINDOW", 1),
        ("02:00", "SKIPPED_CALENDAR", 1),
        ("03:00", "PENDING", 1),
    ]
    await replica.calendars.delete(ANN, "c")


async def test_instant_that_fired_before_an_edit_is_not_moved_by_the_calendar_that_it_brings(
    replica: Replica, clock: ManualClock
) -> None:
    await replica.calendars.create(ANN, "c", closed((0, 4)))
    once_a_day = CronSpec("0 1 * * *")
    await replica.create("a", definition(once_a_day))
    await pass_hours(replica, clock, 2)
    timing = {"exclude_calendars": ("c",), "closed": Closed.DEFER_TO_END}
    await replica.schedules.update(ANN, "a", lambda _: definition(once_a_day, timing=timing))
    await pass_hours(replica, clock, 4)
    assert told(await replica.fires("a")) == [("01:00", "PENDING", 1)]


async def test_pause_covers_open_instants_and_leaves_closed_ones_to_the_calendar(
    replica: Replica, clock: ManualClock
) -> None:
    await replica.calendars.create(ANN, "c", closed((2, 4)))
    await hourly(replica)
    await replica.schedules.disable(ANN, "a", "")
    clock.advance(5 * HOUR + 10 * MINUTE)
    await replica.schedules.enable(ANN, "a", "")
    assert told(await replica.fires("a")) == [
        ("01:00", "PAUSED", 3),
        ("02:00", "SKIPPED_CALENDAR", 2),
    ]


async def test_preview_shows_closed_instants_in_order(replica: Replica, api: Api) -> None:
    await replica.calendars.create(ANN, "c", closed((2, 4)))
    await hourly(replica, closes=Closed.DEFER_TO_END)
    fires = (await api.PreviewSchedule(schedule_id="a", count=4)).fires
    assert [(each.local_time[11:16], Disposition(each.disposition).name) for each in fires] == [
        ("01:00", "FIRED"),
        ("02:00", "DEFERRED"),
        ("03:00", "DEFERRED"),
        ("04:00", "FIRED"),
    ]
    assert fires[1].detail == "closed by calendar c; fires at 2026-01-01T04:00:00.000000Z"
    draft = schedule("", cron("0 * * * *"), exclude_calendars=["c"])
    fires = (await api.PreviewSchedule(draft=draft, count=2)).fires
    assert [each.disposition for each in fires] == [
        schedule_pb2.DISPOSITION_FIRED,
        schedule_pb2.DISPOSITION_SKIPPED_CALENDAR,
    ]
    draft = schedule("", exclude_calendars=["no"])
    assert (
        "draft.exclude_calendars[0]" in (await refused(api.PreviewSchedule(draft=draft), INVALID)).violations
    )


async def test_preview_says_until_when_a_blackout_holds_the_task(replica: Replica, api: Api) -> None:
    await replica.calendars.create(ANN, "b", closed((1, 2), blackout=Blackout(handler="name:work")))
    await api.CreateSchedule(schedule=schedule("a", cron("0 * * * *")))
    first, second = (await api.PreviewSchedule(schedule_id="a", count=2)).fires
    assert first.held_until == stamp("2026-01-01T02:00:00Z")
    assert not second.HasField("held_until")


async def test_calendar_comes_back_as_it_was_sent(api: Api) -> None:
    sent = pb.Calendar(
        calendar_id="c",
        description="Closed",
        time_zone="Europe/Berlin",
        dates=["2026-01-02", "12-25"],
        windows=[pb.CalendarWindow(cron="0 22 * * *", duration=Duration(seconds=3600))],
        holidays=[pb.Holidays(country="DE", subdivision="BY")],
        periods=[
            pb.CalendarPeriod(
                from_time=stamp("2026-02-01T00:00:00Z"), until_time=stamp("2026-02-02T00:00:00Z"), name="move"
            )
        ],
        blackout=pb.Blackout(queue="default", allow_priority=9),
    )
    created = (await api.CreateCalendar(calendar=sent)).calendar
    assert (created.version, created.HasField("create_time")) == (1, True)
    assert (await api.GetCalendar(calendar_id="c")).calendar == created
    (listed,) = (await api.ListCalendars()).calendars
    assert listed == created
    for output_only in ("version", "create_time", "update_time"):
        created.ClearField(output_only)
    assert created == sent
    assert (await refused(api.CreateCalendar(calendar=sent), EXISTS)).reason == "CALENDAR_EXISTS"
    said = await refused(api.UpdateCalendar(calendar=sent, version=7), ABORTED)
    assert said.reason == "CALENDAR_CHANGED"


async def test_list_pages_by_id(api: Api) -> None:
    for name in ("b", "a", "c"):
        await api.CreateCalendar(calendar=pb.Calendar(calendar_id=name, dates=["01-01"]))
    first = await api.ListCalendars(page_size=2)
    second = await api.ListCalendars(page_size=2, page_token=first.next_page_token)
    assert [each.calendar_id for each in (*first.calendars, *second.calendars)] == ["a", "b", "c"]
    assert not second.next_page_token


async def test_periods_are_joined_and_begin_with_the_current_one(api: Api) -> None:
    made = pb.Calendar(calendar_id="c", dates=["12-31", "01-01", "05-01"])
    await api.CreateCalendar(calendar=made)
    periods = (await api.ListCalendarPeriods(calendar_id="c", count=2)).periods
    assert [(each.from_time.ToJsonString(), each.until_time.ToJsonString()) for each in periods] == [
        ("2025-12-31T00:00:00Z", "2026-01-02T00:00:00Z"),
        ("2026-05-01T00:00:00Z", "2026-05-02T00:00:00Z"),
    ]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"time_zone": "Mars/Olympus"}, "calendar.time_zone"),
        ({"dates": ["02-30"]}, "calendar.dates[0]"),
        ({"holidays": [pb.Holidays(country="ZZ")]}, "calendar.holidays[0].country"),
    ],
)
async def test_refusal_names_the_field(api: Api, fields: dict[str, object], field: str) -> None:
    calendar = pb.Calendar(calendar_id="c", **fields)  # type: ignore[arg-type]
    said = await refused(api.CreateCalendar(calendar=calendar), INVALID)
    assert (said.reason, list(said.violations)) == ("INVALID_CALENDAR", [field])


async def test_every_change_is_in_the_audit_trail(replica: Replica) -> None:
    await replica.calendars.create(ANN, "c", closed((2, 4)))
    await replica.calendars.update(ANN, "c", closed((3, 4)))
    await replica.calendars.delete(ANN, "c")
    rows = await replica.rows(
        "SELECT action, schedule_id, generation, actor FROM scheduler.actions ORDER BY id"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("create-calendar", "c", 1, "ann"),
        ("update-calendar", "c", 2, "ann"),
        ("delete-calendar", "c", 2, "ann"),
    ]


async def test_unreadable_calendar_never_reaches_a_schedule(replica: Replica) -> None:
    timing = {"exclude_calendars": ("no",)}
    with pytest.raises(InvalidSchedule, match="there is no calendar 'no'"):
        await replica.create("a", definition(HOURLY, timing=timing))


# Blackouts.


def held(queue: FakeQueue, source: str = "calendar/b") -> list[tuple[str, str]]:
    return [
        (hold.from_time.ToJsonString()[11:16], hold.until_time.ToJsonString()[11:16])
        for hold in queue.holds[source].holds
    ]


NIGHT = Blackout(queue="bulk", handler="shell", allow_priority=9)


async def test_blackout_is_told_to_the_queue_changed_and_lifted(replica: Replica, queue: FakeQueue) -> None:
    await replica.calendars.create(ANN, "b", closed((1, 2), (5, 6), blackout=NIGHT))
    await replica.blackouts.step()
    first = queue.holds["calendar/b"].holds[0]
    assert (first.queue, first.handler, first.allow_priority) == ("bulk", "shell", 9)
    assert held(queue) == [("01:00", "02:00"), ("05:00", "06:00")]
    await replica.calendars.update(ANN, "b", closed((3, 4), blackout=NIGHT))
    await replica.blackouts.step()
    assert held(queue) == [("03:00", "04:00")]
    await replica.calendars.delete(ANN, "b")
    await replica.blackouts.step()
    assert held(queue) == []


async def test_calendar_of_a_deleted_ones_name_is_told_with_a_later_number(
    replica: Replica, queue: FakeQueue
) -> None:
    for hours in ((1, 2), (3, 4)):
        await replica.calendars.create(ANN, "b", closed(hours, blackout=NIGHT))
        await replica.blackouts.step()
        assert held(queue) == [(f"0{hours[0]}:00", f"0{hours[1]}:00")]
        await replica.calendars.delete(ANN, "b")
    await replica.blackouts.step()
    assert held(queue) == []


async def test_calendar_that_is_no_blackout_any_more_is_lifted(replica: Replica, queue: FakeQueue) -> None:
    await replica.calendars.create(ANN, "b", closed((1, 2), blackout=NIGHT))
    await replica.blackouts.step()
    await replica.calendars.update(ANN, "b", closed((1, 2)))
    assert await replica.blackouts.step() is None
    assert held(queue) == []


async def test_queue_knows_at_least_a_day_ahead(
    replica: Replica, queue: FakeQueue, clock: ManualClock
) -> None:
    """Told every 12 hours of the next 48."""
    hours = [(hour, hour + 1) for hour in range(0, 24 * 5, 4)]
    await replica.calendars.create(ANN, "b", closed(*hours, blackout=NIGHT))
    for _ in range(60):
        await replica.blackouts.step()
        last = queue.holds["calendar/b"].holds[-1].from_time.ToDatetime(tzinfo=UTC)
        assert last >= clock.now() + timedelta(hours=24)
        clock.advance(HOUR)
    assert queue.holds["calendar/b"].version == 5


async def test_blackout_is_told_when_the_queue_is_back(
    replica: Replica, queue: FakeQueue, clock: ManualClock
) -> None:
    await queue.stop()
    await replica.calendars.create(ANN, "b", closed((1, 2), blackout=NIGHT))
    wait = await replica.blackouts.step()
    assert wait is not None
    assert 0 < wait <= 5
    assert not queue.holds
    await queue.start()
    async with asyncio.timeout(20):
        while not queue.holds:
            clock.advance(timedelta(seconds=5))
            await replica.blackouts.step()
    assert held(queue) == [("01:00", "02:00")]


async def test_change_while_the_queue_is_told_is_told_as_well(
    replica: Replica, queue: FakeQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    await replica.calendars.create(ANN, "b", closed((1, 2), blackout=NIGHT))
    told_by = queue.SetHolds

    async def change_meanwhile(
        request: queue_pb.SetHoldsRequest, context: object
    ) -> queue_pb.SetHoldsResponse:
        if request.version == 1:
            await replica.calendars.update(ANN, "b", closed((3, 4), blackout=NIGHT))
        return await told_by(request, context)

    monkeypatch.setattr(queue, "SetHolds", change_meanwhile)
    await queue.stop()
    await queue.start()
    assert await replica.blackouts.step() == 0.0
    await replica.blackouts.step()
    assert held(queue) == [("03:00", "04:00")]
