"""Bad input: refused with field and rule, and nothing is stored."""

from collections.abc import Awaitable
from typing import Any

import grpc
import grpc.aio
import pytest
from batonpass.queue.v1.task_pb2 import Resources, TaskTemplate
from batonpass.scheduler.v1 import event_service_pb2 as events_pb
from batonpass.scheduler.v1 import schedule_pb2 as pb
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from tests.integration.scheduler.calls import (
    INVALID,
    Api,
    Code,
    cron,
    refused,
    schedule,
)
from tests.integration.scheduler.replica import Replica


def with_template(**fields: Any) -> pb.Schedule:
    return schedule(template=TaskTemplate(**{"handler": "x", **fields}))


def every(**fields: Any) -> pb.Schedule:
    return schedule("a", pb.ScheduleSpec(interval=pb.IntervalSpec(every=Duration(**fields))))


FAR_AWAY = pb.ScheduleSpec(one_shot=pb.OneShotSpec(time=Timestamp(seconds=10**15)))

REFUSALS = [
    (schedule("a b"), "schedule_id"),
    (schedule(""), "schedule_id"),
    (pb.Schedule(schedule_id="a", template=TaskTemplate(handler="x")), "specs"),
    (schedule("a", cron(), pb.ScheduleSpec(event=pb.EventSpec(type="a"))), "specs"),
    (schedule("a", *[cron()] * 21), "specs"),
    (schedule("a", start_time=Timestamp(seconds=2), end_time=Timestamp(seconds=1)), "end_time"),
    (schedule("a", exclusions=[pb.ScheduleSpec(event=pb.EventSpec(type="a"))]), "exclusions[0].event"),
    (schedule("a", pb.ScheduleSpec()), "specs[0].kind"),
    (schedule("a", cron("0 0 31 2 *")), "specs[0].cron.expression"),
    (schedule("a", cron("99 * * * *")), "specs[0].cron.expression"),
    (schedule("a", cron("* * * * * *")), "specs[0].cron.expression"),
    (schedule("a", cron("x" * 300)), "specs[0].cron.expression"),
    (every(nanos=1), "specs[0].interval.every"),
    (every(seconds=1, nanos=1_500_000), "specs[0].interval.every"),
    (every(seconds=1, nanos=1), "specs[0].interval.every"),
    (schedule("a", FAR_AWAY), "specs[0].one_shot.time"),
    (schedule("a", pb.ScheduleSpec(event=pb.EventSpec(type="a b"))), "specs[0].event.type"),
    (schedule(time_zone="Europe/Berln"), "time_zone"),
    (schedule(catch_up_policy=pb.CATCH_UP_POLICY_ALL), "catch_up_policy"),
    (schedule(catchup_window=Duration(seconds=1)), "catchup_window"),
    (with_template(handler=""), "template"),
    (with_template(handler="   "), "template"),
    (with_template(handler="\t\n"), "template"),
    (with_template(priority=0), "template.priority"),
    (with_template(priority=11), "template.priority"),
    (with_template(resources=Resources(cpu_percent=-1)), "template.resources.cpu_percent"),
    (with_template(resources=Resources(memory_percent=101)), "template.resources.memory_percent"),
    (with_template(resources=Resources(cpu_percent=0.123)), "template.resources.cpu_percent"),
    (with_template(retry_policy="often"), "template.retry_policy"),
    (with_template(name="a\0b"), "template.name"),
]


@pytest.mark.parametrize(("asked", "field"), REFUSALS)
async def test_bad_schedule_is_refused_with_its_field_and_nothing_is_stored(
    api: Api, replica: Replica, asked: pb.Schedule, field: str
) -> None:
    refusal = await refused(api.CreateSchedule(schedule=asked), INVALID)
    assert refusal.violations.get(f"schedule.{field}"), refusal
    assert await replica.query("SELECT count(*) FROM scheduler.schedules") == 0


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (events_pb.Event(type=""), "event.type"),
        (events_pb.Event(type="a b"), "event.type"),
        (events_pb.Event(type="a", source="with space"), "event.source"),
        (events_pb.Event(type="a", data=b"{"), "event.data"),
        (events_pb.Event(type="a", data=b"\xff"), "event.data"),
        (events_pb.Event(type="a", data=b"NaN"), "event.data"),
        (events_pb.Event(type="a", data=b"[" * 100_000), "event.data"),
        (events_pb.Event(type="a", id="x" * 129), "event.id"),
        (events_pb.Event(type="a", subject="a\0b"), "event.subject"),
        (events_pb.Event(type="a", time=Timestamp(seconds=-(10**12))), "event.time"),
    ],
)
async def test_bad_event_is_refused_with_its_field(api: Api, event: Message, field: str) -> None:
    assert field in (await refused(api.PublishEvent(event=event), INVALID)).violations


async def test_message_over_a_mebibyte_is_refused_and_the_service_stays_up(api: Api) -> None:
    huge = schedule(template=TaskTemplate(handler="x", payload=b"x" * 1_100_000))
    await refused_plainly(api.CreateSchedule(schedule=huge), Code.RESOURCE_EXHAUSTED)
    assert (await api.ListSchedules()).next_page_token == ""


async def refused_plainly(call: Awaitable[object], code: grpc.StatusCode) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    assert caught.value.code() is code
