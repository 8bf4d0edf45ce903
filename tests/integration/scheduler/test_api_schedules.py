"""Creating, reading and listing schedules over a real server."""

import asyncio
from datetime import timedelta
from typing import Any

import grpc
import pytest
from batonpass.queue.v1.task_pb2 import (
    OVERLAP_POLICY_BUFFER_ALL,
    OVERLAP_POLICY_SKIP,
    TaskTemplate,
)
from batonpass.scheduler.v1 import schedule_pb2 as pb
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask

from service_kit.clock import ManualClock
from tests.integration.scheduler.calls import (
    EXISTS,
    INVALID,
    NOT_FOUND,
    Api,
    cron,
    refused,
    schedule,
    stamp,
)
from tests.integration.scheduler.replica import Replica


async def test_created_schedule_is_shown_with_the_defaults_in_force(api: Api) -> None:
    created = (await api.CreateSchedule(schedule=schedule(note="mine", generation=9))).schedule
    assert created == (await api.GetSchedule(schedule_id="a")).schedule
    assert created.time_zone == "UTC"
    assert (created.overlap_policy, created.catch_up_policy) == (
        OVERLAP_POLICY_SKIP,
        pb.CATCH_UP_POLICY_LATEST,
    )
    assert created.catchup_window == Duration(seconds=3600)
    template = created.template
    assert (template.priority, template.retry_policy, template.circuit_breaker, template.queue) == (
        5, "standard", "default", "default",
    )  # fmt: skip
    assert template.timeout == Duration(seconds=3600)
    assert created.next_fire_time == stamp("2026-01-01T00:05:00Z")
    assert (created.generation, created.note, created.disabled) == (1, "", False)
    assert created.create_time == created.update_time == stamp("2026-01-01T00:00:00Z")
    assert not created.stats.HasField("average_duration")


@pytest.mark.parametrize(
    "spec",
    [
        cron("0 9 * * MON-FRI"),
        cron("30 0 9 * * *", seconds=pb.SECONDS_FIELD_FIRST),
        pb.ScheduleSpec(interval=pb.IntervalSpec(every=Duration(seconds=90), phase=Duration(seconds=5))),
        pb.ScheduleSpec(one_shot=pb.OneShotSpec(time=stamp("2026-05-01T10:00:00.5Z"))),
        pb.ScheduleSpec(event=pb.EventSpec(type="webhook.received")),
    ],
)
async def test_every_kind_comes_back_as_it_was_given(api: Api, spec: pb.ScheduleSpec) -> None:
    await api.CreateSchedule(schedule=schedule("a", spec, time_zone="Europe/Berlin"))
    stored = (await api.GetSchedule(schedule_id="a")).schedule
    assert list(stored.specs) == [spec] or spec.WhichOneof("kind") == "interval"
    assert stored.specs[0].interval.every == spec.interval.every
    assert stored.time_zone == "Europe/Berlin"
    if spec.WhichOneof("kind") == "event":
        assert stored.overlap_policy == OVERLAP_POLICY_BUFFER_ALL
        assert not stored.HasField("next_fire_time")


async def test_creating_is_repeatable_by_request_id(api: Api, clock: ManualClock) -> None:
    first = await api.CreateSchedule(schedule=schedule(), request_id="r1")
    await api.DisableSchedule(schedule_id="a", note="later")
    clock.advance(timedelta(minutes=7))
    again = await api.CreateSchedule(schedule=schedule(), request_id="r1")
    assert again == first
    await api.DeleteSchedule(schedule_id="a")
    assert await api.CreateSchedule(schedule=schedule(), request_id="r1") == first
    await refused(api.GetSchedule(schedule_id="a"), NOT_FOUND)
    other = await refused(api.CreateSchedule(schedule=schedule("b"), request_id="r1"), EXISTS)
    assert other.reason == "REQUEST_ID_REUSED"


async def test_one_request_id_for_different_schedules_at_once_makes_one(api: Api) -> None:
    calls = [api.CreateSchedule(schedule=schedule(f"s{n}"), request_id="r1") for n in range(8)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    refusals = [answer for answer in answers if isinstance(answer, grpc.aio.AioRpcError)]
    assert [refusal.code() for refusal in refusals] == [grpc.StatusCode.ALREADY_EXISTS] * 7
    assert len((await api.ListSchedules()).schedules) == 1


async def test_creating_at_once_with_one_request_id_makes_one(api: Api) -> None:
    calls = [api.CreateSchedule(schedule=schedule(), request_id="r1") for _ in range(8)]
    answers = await asyncio.gather(*calls)
    assert all(answer == answers[0] for answer in answers)


async def test_taken_id_is_refused(api: Api) -> None:
    await api.CreateSchedule(schedule=schedule())
    refusal = await refused(api.CreateSchedule(schedule=schedule()), EXISTS)
    assert refusal.reason == "SCHEDULE_EXISTS"
    await api.CreateSchedule("other", schedule=schedule())


UNKNOWN_CALLS = [
    ("GetSchedule", {}),
    ("DeleteSchedule", {}),
    ("EnableSchedule", {}),
    ("DisableSchedule", {}),
    ("RunSchedule", {}),
    ("PreviewSchedule", {}),
    ("ListFires", {}),
    ("GetScheduleStats", {}),
]


@pytest.mark.parametrize(("method", "fields"), UNKNOWN_CALLS)
async def test_unknown_id_is_not_found(api: Api, method: str, fields: dict[str, Any]) -> None:
    await api.CreateSchedule("other", schedule=schedule("a"))
    refusal = await refused(getattr(api, method)(schedule_id="a", **fields), NOT_FOUND)
    assert refusal.reason == "SCHEDULE_NOT_FOUND"


async def test_list_goes_through_all_pages(api: Api) -> None:
    for name in ("b", "a", "C", "d", "e"):
        await api.CreateSchedule(schedule=schedule(name))
    await api.CreateSchedule("other", schedule=schedule("x"))
    found, token = [], ""
    while True:
        page = await api.ListSchedules(page_size=2, page_token=token)
        found += [each.schedule_id for each in page.schedules]
        token = page.next_page_token
        if not token:
            break
    assert found == ["C", "a", "b", "d", "e"]


async def test_page_of_large_schedules_is_short_enough_for_a_message(api: Api) -> None:
    template = TaskTemplate(handler="x", payload=b"x" * 262_000)
    for number in range(10):
        await api.CreateSchedule(schedule=schedule(f"s{number}", template=template))
    first = await api.ListSchedules()
    second = await api.ListSchedules(page_token=first.next_page_token)
    assert len(first.schedules) == 8
    assert len(second.schedules) == 2
    assert second.next_page_token == ""


async def test_page_token_of_another_list_is_refused(api: Api) -> None:
    for name in ("a", "b"):
        await api.CreateSchedule(schedule=schedule(name))
        await api.CreateSchedule("other", schedule=schedule(name))
    token = (await api.ListSchedules(page_size=1)).next_page_token
    for call in (
        api.ListSchedules("other", page_token=token),
        api.ListFires(schedule_id="a", page_token=token),
        api.ListSchedules(page_token=token[:-2]),
        api.ListSchedules(page_token="¡olé!"),
    ):
        assert "page_token" in (await refused(call, INVALID)).violations


async def test_switching_off_and_on_keeps_note_and_actor(api: Api) -> None:
    await api.CreateSchedule(schedule=schedule())
    off = (await api.DisableSchedule(schedule_id="a", note="holiday")).schedule
    assert (off.disabled, off.note, off.note_actor) == (True, "holiday", "ann")
    assert not off.HasField("next_fire_time")
    assert (await api.DisableSchedule(schedule_id="a", note="holiday")).schedule == off
    assert (await api.DisableSchedule(schedule_id="a")).schedule == off
    on = (await api.EnableSchedule(schedule_id="a", note="back")).schedule
    assert (on.disabled, on.note, on.generation) == (False, "back", 3)


async def test_unreadable_schedule_is_shown_with_its_reason_and_can_be_mended(
    api: Api, replica: Replica, clock: ManualClock
) -> None:
    await api.CreateSchedule(schedule=schedule())
    await replica.rows(
        'UPDATE scheduler.schedules SET timing = \'{"specs":[{"kind":"lunar"}],"zone":"UTC"}\''
    )
    clock.advance(timedelta(minutes=5))
    await replica.fire_due()
    (shown,) = (await api.ListSchedules()).schedules
    assert "lunar" in shown.invalid_reason
    assert len(shown.specs) == 0
    await refused(api.PreviewSchedule(schedule_id="a"), INVALID)
    mended = await api.UpdateSchedule(schedule=schedule(), update_mask=FieldMask(paths=["specs"]))
    assert mended.schedule.invalid_reason == ""
    assert mended.schedule.next_fire_time == stamp("2026-01-01T00:10:00Z")
