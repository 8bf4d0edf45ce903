"""BatchCreateSchedules: many in one call, each as if alone."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from batonpass.scheduler.v1 import schedule_pb2 as pb
from batonpass.scheduler.v1 import schedule_service_pb2 as service_pb
from google.protobuf.timestamp_pb2 import Timestamp

from tests.integration.scheduler.calls import EXISTS, INVALID, Api, cron, refused, schedule
from tests.integration.scheduler.replica import ANN, Replica
from tests.integration.scheduler.test_api_refusals import REFUSALS


def item(made: pb.Schedule, request_id: str = "") -> service_pb.CreateScheduleRequest:
    return service_pb.CreateScheduleRequest(schedule=made, request_id=request_id)


async def batch(api: Api, *items: service_pb.CreateScheduleRequest) -> Sequence[Any]:
    return (await api.BatchCreateSchedules(requests=items)).verdicts


def codes(verdicts: Sequence[Any]) -> list[int]:
    return [verdict.code for verdict in verdicts]


OK, INVALID_CODE, EXISTS_CODE = 0, INVALID.value[0], EXISTS.value[0]


async def test_each_schedule_is_created_as_if_alone(api: Api, replica: Replica) -> None:
    made = [
        schedule("b", cron("0 3 * * *"), time_zone="Asia/Tokyo", labels={"team": "blue"}),
        schedule("a", pb.ScheduleSpec(event=pb.EventSpec(type="task.completed"))),
        schedule("c", pb.ScheduleSpec(one_shot=pb.OneShotSpec(time=Timestamp(seconds=1))), disabled=True),
    ]
    await api.CreateSchedule(schedule=made[0], namespace="single")
    assert codes(await batch(api, *map(item, made))) == [OK] * 3
    listed = (await api.ListSchedules()).schedules
    assert [each.schedule_id for each in listed] == ["a", "b", "c"]
    alone = (await api.GetSchedule(schedule_id="b", namespace="single")).schedule
    assert listed[1] == alone
    assert alone.labels == {"team": "blue"}
    assert listed[2].disabled
    assert await replica.query("SELECT all_tasks FROM scheduler.cursors")
    trail = await replica.rows(
        "SELECT actor, action, schedule_id FROM scheduler.actions WHERE namespace = 'default' ORDER BY 3"
    )
    assert [tuple(row) for row in trail] == [("ann", "create", name) for name in "abc"]


async def test_bad_items_are_refused_with_the_same_words_and_spoil_no_others(
    api: Api, replica: Replica
) -> None:
    asked = [bad for bad, _ in REFUSALS]
    verdicts = await batch(api, item(schedule("first")), *map(item, asked), item(schedule("last")))
    assert codes(verdicts) == [OK, *[INVALID_CODE] * len(asked), OK]
    assert [verdict.schedule_id for verdict in verdicts[1:-1]] == [bad.schedule_id for bad in asked]
    for bad, verdict in zip(asked, verdicts[1:-1], strict=True):
        alone = await refused(api.CreateSchedule(schedule=bad), INVALID)
        assert (verdict.error, verdict.reason) == (alone.message, alone.reason)
    assert await replica.query("SELECT count(*) FROM scheduler.schedules") == 2


async def test_taken_ids_are_told_in_the_store_and_within_the_batch(api: Api) -> None:
    await api.CreateSchedule(schedule=schedule("a"))
    verdicts = await batch(
        api, item(schedule("b")), item(schedule("a")), item(schedule("b", cron("1 * * * *")))
    )
    assert codes(verdicts) == [OK, EXISTS_CODE, EXISTS_CODE]
    assert {verdict.reason for verdict in verdicts[1:]} == {"SCHEDULE_EXISTS"}
    assert (await api.GetSchedule(schedule_id="b")).schedule.specs[0] == cron()


async def test_repeated_batch_creates_nothing_and_is_answered_as_before(api: Api, replica: Replica) -> None:
    items = [item(schedule(f"s{number}"), f"r{number}") for number in range(3)]
    assert codes(await batch(api, *items)) == [OK] * 3
    await replica.schedules.delete(ANN, "s1")
    assert codes(await batch(api, *items)) == [OK] * 3
    assert await replica.query("SELECT count(*) FROM scheduler.schedules") == 2
    single = await api.CreateSchedule(schedule=schedule("s2"), request_id="r2")
    assert single.schedule.schedule_id == "s2"


async def test_request_id_stands_for_one_request_within_a_batch_as_well(api: Api, replica: Replica) -> None:
    verdicts = await batch(
        api,
        item(schedule("a"), "r1"),
        item(schedule("a"), "r1"),
        item(schedule("b"), "r1"),
        item(schedule("a"), "r2"),
        item(schedule("c"), "r2"),
    )
    assert codes(verdicts) == [OK, OK, EXISTS_CODE, EXISTS_CODE, OK]
    assert [verdict.reason for verdict in verdicts] == ["", "", "REQUEST_ID_REUSED", "SCHEDULE_EXISTS", ""]
    assert await replica.query("SELECT count(*) FROM scheduler.schedules") == 2


async def test_batches_that_race_for_the_same_ids_and_requests_create_each_once(
    api: Api, replica: Replica
) -> None:
    def items(order: int, prefix: str) -> list[service_pb.CreateScheduleRequest]:
        return [item(schedule(f"{prefix}{n}"), f"r{n}") for n in range(50)][::order]

    answers = await asyncio.gather(
        *(batch(api, *items(order, prefix)) for order in (1, -1) for prefix in "ab" for _ in range(3))
    )
    assert {verdict.reason for verdicts in answers for verdict in verdicts} <= {"", "REQUEST_ID_REUSED"}
    assert await replica.query("SELECT count(*) FROM scheduler.schedules") == 50
    assert await replica.query("SELECT count(*) FROM scheduler.creations") == 50


@pytest.mark.parametrize("count", [0, 501])
async def test_batch_has_1_to_500_items(api: Api, count: int) -> None:
    refusal = await refused(api.BatchCreateSchedules(requests=[item(schedule())] * count), INVALID)
    assert list(refusal.violations) == ["requests"]
