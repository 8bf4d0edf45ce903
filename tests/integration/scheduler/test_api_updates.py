"""Field masks: what can be changed, and that the whole is checked before it is stored."""

import pytest
from batonpass.queue.v1.task_pb2 import Resources, TaskTemplate
from batonpass.scheduler.v1 import schedule_pb2 as pb
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask

from tests.integration.scheduler.calls import (
    ABORTED,
    INVALID,
    NOT_FOUND,
    Api,
    cron,
    refused,
    schedule,
    stamp,
)


async def test_update_changes_what_the_mask_names(api: Api) -> None:
    template = TaskTemplate(handler="name:work", priority=3, payload=b"{}", name="nightly")
    await api.CreateSchedule(schedule=schedule(template=template, time_zone="Europe/Berlin"))
    change = schedule("a", cron("@daily"), template=TaskTemplate(handler="name:other", priority=9))
    mask = FieldMask(paths=["specs", "template.priority", "template.payload"])
    updated = (await api.UpdateSchedule(schedule=change, update_mask=mask)).schedule
    assert updated.specs[0].cron.expression == "@daily"
    assert (updated.template.priority, updated.template.handler) == (9, "name:work")
    assert (updated.template.payload, updated.template.name) == (b"", "nightly")
    assert updated.time_zone == "Europe/Berlin"
    assert (updated.generation, updated.next_fire_time) == (2, stamp("2026-01-01T23:00:00Z"))


async def test_update_with_a_field_left_out_takes_it_back_to_its_default(api: Api) -> None:
    template = TaskTemplate(handler="x", priority=3, resources=Resources(cpu_percent=7, memory_percent=8))
    await api.CreateSchedule(
        schedule=schedule(template=template, time_zone="Asia/Tokyo", catchup_window=Duration(seconds=60))
    )
    mask = FieldMask(
        paths=["time_zone", "catchup_window", "template.priority", "template.resources.cpu_percent"]
    )
    updated = (await api.UpdateSchedule(schedule=pb.Schedule(schedule_id="a"), update_mask=mask)).schedule
    assert updated.time_zone == "UTC"
    assert updated.catchup_window == Duration(seconds=3600)
    assert updated.template.priority == 5
    assert updated.template.resources == Resources(memory_percent=8)


@pytest.mark.parametrize(
    "path",
    ["generation", "note", "stats", "disabled", "schedule_id", "nonsense", "template.nonsense", "specs.cron",
     "template.resources.gpu", "template.priority.more", "", "*"],
)  # fmt: skip
async def test_path_that_cannot_be_changed_is_refused(api: Api, path: str) -> None:
    await api.CreateSchedule(schedule=schedule())
    call = api.UpdateSchedule(schedule=schedule(), update_mask=FieldMask(paths=["specs", path]))
    assert "update_mask.paths[1]" in (await refused(call, INVALID)).violations


async def test_mask_without_paths_is_refused(api: Api) -> None:
    await api.CreateSchedule(schedule=schedule())
    call = api.UpdateSchedule(schedule=schedule(), update_mask=FieldMask())
    assert "update_mask.paths" in (await refused(call, INVALID)).violations


async def test_merged_schedule_is_validated_before_it_is_stored(api: Api) -> None:
    await api.CreateSchedule(schedule=schedule())
    for change, path, field in (
        (schedule(template=TaskTemplate(priority=11)), "template.priority", "schedule.template.priority"),
        (schedule(template=TaskTemplate()), "template", "schedule.template"),
        (schedule("a", cron("0 0 31 2 *")), "specs", "schedule.specs[0].cron.expression"),
        (
            schedule(catch_up_policy=pb.CATCH_UP_POLICY_ALL),
            "catch_up_policy",
            "schedule.catch_up_policy",
        ),
    ):
        call = api.UpdateSchedule(schedule=change, update_mask=FieldMask(paths=[path]))
        assert field in (await refused(call, INVALID)).violations
    assert (await api.GetSchedule(schedule_id="a")).schedule.generation == 1


async def test_update_of_an_unknown_schedule_is_not_found(api: Api) -> None:
    await refused(api.UpdateSchedule(schedule=schedule(), update_mask=FieldMask(paths=["specs"])), NOT_FOUND)


async def test_update_of_another_generation_is_aborted(api: Api) -> None:
    await api.CreateSchedule(schedule=schedule())
    mask = FieldMask(paths=["specs"])
    daily = schedule("a", cron("@daily"))
    assert (await api.UpdateSchedule(schedule=daily, update_mask=mask, generation=1)).schedule.generation == 2
    refusal = await refused(api.UpdateSchedule(schedule=schedule(), update_mask=mask, generation=1), ABORTED)
    assert refusal.reason == "GENERATION_CHANGED"
    again = await api.UpdateSchedule(schedule=daily, update_mask=mask)
    assert again.schedule.generation == 2
