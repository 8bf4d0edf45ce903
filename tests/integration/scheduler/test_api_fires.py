"""Runs, previews, fires, statistics and events over a real server."""

import asyncio
from datetime import timedelta

from batonpass.scheduler.v1 import event_service_pb2 as events_pb
from batonpass.scheduler.v1 import schedule_pb2 as pb

from service_kit.clock import ManualClock
from tests.integration.scheduler.calls import (
    INVALID,
    NOT_FOUND,
    Api,
    cron,
    refused,
    schedule,
    stamp,
)
from tests.integration.scheduler.replica import Replica


async def test_run_returns_a_pending_fire_once_per_request(api: Api) -> None:
    await api.CreateSchedule(schedule=schedule(disabled=True))
    first = (await api.RunSchedule(schedule_id="a", request_id="r1")).fire
    assert (first.disposition, first.kind, first.actor) == (
        pb.DISPOSITION_PENDING, pb.FIRE_KIND_MANUAL, "ann",
    )  # fmt: skip
    assert not first.HasField("settle_time")
    assert (await api.RunSchedule(schedule_id="a", request_id="r1")).fire == first


async def test_preview_shows_what_the_engine_fires(api: Api, replica: Replica, clock: ManualClock) -> None:
    asked = schedule("a", cron("30 * * * *"), time_zone="Asia/Kolkata")
    await api.CreateSchedule(schedule=asked)
    stored = await api.PreviewSchedule(schedule_id="a", count=3)
    assert stored == await api.PreviewSchedule(draft=asked, count=3)
    assert len((await api.PreviewSchedule(schedule_id="a")).fires) == 5
    for _ in range(3):
        clock.advance(timedelta(hours=1))
        await replica.fire_due()
    fires = (await api.ListFires(schedule_id="a")).fires
    shown = [(each.time, each.local_time, each.utc_offset) for each in stored.fires]
    assert shown == [(each.nominal_time, each.local_time, each.utc_offset) for each in reversed(fires)]


async def test_preview_starts_where_it_is_told(api: Api) -> None:
    preview = await api.PreviewSchedule(
        draft=pb.Schedule(specs=[cron("30 2 * * *")], time_zone="Europe/Berlin"),
        from_time=stamp("2026-03-28T12:00:00Z"),
        count=2,
    )
    assert [(each.local_time, each.utc_offset) for each in preview.fires] == [
        ("2026-03-29T03:00:00", "+02:00"),
        ("2026-03-30T02:30:00", "+02:00"),
    ]


async def test_preview_of_nothing_or_of_both_is_refused(api: Api) -> None:
    await refused(api.PreviewSchedule(), INVALID)
    await refused(api.PreviewSchedule(schedule_id="a", draft=pb.Schedule(specs=[cron()])), INVALID)
    refusal = await refused(api.PreviewSchedule(draft=pb.Schedule(specs=[cron("61 * * * *")])), INVALID)
    assert "draft.specs[0].cron.expression" in refusal.violations
    refusal = await refused(
        api.PreviewSchedule(schedule_id="a", from_time=stamp("1900-01-01T00:00:00Z")),
        INVALID,
    )
    assert "from_time" in refusal.violations
    listening = pb.Schedule(specs=[pb.ScheduleSpec(event=pb.EventSpec(type="a"))])
    assert len((await api.PreviewSchedule(draft=listening)).fires) == 0


async def test_fires_are_listed_latest_first_and_by_disposition(
    api: Api, replica: Replica, clock: ManualClock
) -> None:
    await api.CreateSchedule(schedule=schedule("a", cron("* * * * *")))
    for _ in range(4):
        clock.advance(timedelta(minutes=1))
        await replica.fire_due()
    clock.advance(timedelta(minutes=3))
    await replica.fire_due()
    found, token = [], ""
    while True:
        page = await api.ListFires(schedule_id="a", page_size=2, page_token=token)
        found += list(page.fires)
        token = page.next_page_token
        if not token:
            break
    minutes = [fire.nominal_time.ToDatetime().minute for fire in found]
    assert minutes == [7, 5, 4, 3, 2, 1]
    coalesced = await api.ListFires(schedule_id="a", disposition=pb.DISPOSITION_COALESCED)
    (fire,) = coalesced.fires
    assert (fire.count, fire.fire_id, fire.last_nominal_time) == (2, "", stamp("2026-01-01T00:06:00Z"))
    assert len((await api.ListFires(schedule_id="a", disposition=pb.DISPOSITION_FIRED)).fires) == 0


async def test_fires_of_a_deleted_schedule_stay_readable(
    api: Api, replica: Replica, clock: ManualClock
) -> None:
    await api.CreateSchedule(schedule=schedule())
    await api.RunSchedule(schedule_id="a")
    await api.DeleteSchedule(schedule_id="a")
    assert len((await api.ListFires(schedule_id="a")).fires) == 1
    await refused(api.DeleteSchedule(schedule_id="a"), NOT_FOUND)


async def test_stats_add_up(api: Api, clock: ManualClock) -> None:
    await api.CreateSchedule(schedule=schedule("a"))
    await api.CreateSchedule(schedule=schedule("b", cron("@daily"), disabled=True))
    await api.RunSchedule(schedule_id="b")
    found = await api.GetScheduleStats()
    assert (found.schedules, found.enabled, found.pending_fires, found.overdue) == (2, 1, 1, 0)
    assert (found.stats.fire_count, found.next_fire_time) == (1, stamp("2026-01-01T00:05:00Z"))
    clock.advance(timedelta(minutes=6))
    assert (await api.GetScheduleStats(schedule_id="a")).overdue == 1
    assert (await api.GetScheduleStats("empty")).schedules == 0


async def test_waiting_for_the_hand_over_ends_with_the_last_verdict(
    api: Api, replica: Replica, clock: ManualClock
) -> None:
    await api.CreateSchedule(schedule=schedule("a", cron("* * * * *")))
    await api.RunSchedule(schedule_id="a")
    clock.advance(timedelta(minutes=1))
    replica.signals.due.clear()
    waiting = asyncio.ensure_future(api.AwaitHandover())
    await asyncio.wait_for(replica.signals.due.wait(), 10)
    assert not waiting.done()
    await replica.fire_due()
    await replica.hand_over()
    assert (await waiting).settled == 2
    assert (await api.AwaitHandover()).settled == 0


async def test_waiting_does_not_wait_for_what_comes_later_or_belongs_to_others(
    api: Api, replica: Replica, clock: ManualClock
) -> None:
    await api.CreateSchedule("other", schedule=schedule())
    await api.RunSchedule("other", schedule_id="a")
    await api.CreateSchedule(schedule=schedule("a", cron("* * * * *")))
    assert (await api.AwaitHandover()).settled == 0


async def test_event_is_stored_with_defaults_and_fires(api: Api) -> None:
    listening = schedule("a", pb.ScheduleSpec(event=pb.EventSpec(type="webhook.received")))
    await api.CreateSchedule(schedule=listening)
    answer = await api.PublishEvent(event=events_pb.Event(type="webhook.received", data=b'{"a": 1}'))
    assert answer.created
    assert answer.event.source == "batonpass"
    assert answer.event.id[14] == "7"
    assert answer.event.time == stamp("2026-01-01T00:00:00Z")
    (fire,) = answer.fires
    assert (fire.kind, fire.event) == (pb.FIRE_KIND_EVENT, f"batonpass {answer.event.id}")
    again = await api.PublishEvent(event=answer.event)
    assert (again.created, list(again.fires)) == (False, [fire])
