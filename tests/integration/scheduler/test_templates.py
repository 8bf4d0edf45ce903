"""Schedule templates: versions, schedules made of them, and moves from version to version."""

import json
from datetime import timedelta
from typing import Any

import pytest
from batonpass.queue.v1.task_pb2 import TaskTemplate
from batonpass.scheduler.v1 import schedule_pb2 as pb
from batonpass.scheduler.v1 import template_service_pb2 as template_pb
from google.protobuf.field_mask_pb2 import FieldMask

from scheduler_service.app import templates
from scheduler_service.domain.fire import Disposition
from scheduler_service.domain.schedule_template import ScheduleTemplate
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
from tests.integration.scheduler.replica import ANN, Replica

TABLE = template_pb.TemplateParameter(name="table", example="orders")
HOUR = template_pb.TemplateParameter(name="hour", default="3")


def template(expression: str = "0 ${hour} * * *", handler: str = "dump ${table}", **fields: Any) -> Any:
    body = pb.Schedule(specs=[cron(expression)], template=TaskTemplate(handler=handler))
    fields = {"template_id": "nightly", "body": body, "parameters": [TABLE, HOUR], **fields}
    return template_pb.ScheduleTemplate(**fields)


def made(schedule_id: str = "a", version: int = 0, labels: Any = None, **parameters: str) -> pb.Schedule:
    values = parameters or {"table": "orders"}
    source = pb.TemplateSource(template_id="nightly", version=version, parameters=values)
    return pb.Schedule(schedule_id=schedule_id, source=source, labels=labels)


async def put(api: Api, **fields: Any) -> template_pb.ScheduleTemplate:
    stored: template_pb.ScheduleTemplate = (
        await api.PutScheduleTemplate(template=template(**fields))
    ).template
    return stored


async def test_putting_the_same_again_adds_no_version(api: Api, replica: Replica) -> None:
    first = await api.PutScheduleTemplate(template=template())
    assert (first.template.version, first.created, first.template.actor) == (1, True, "ann")
    again = await api.PutScheduleTemplate(template=template())
    assert (again.template, again.created) == (first.template, False)
    second = await api.PutScheduleTemplate(template=template("0 4 * * *"))
    assert (second.template.version, second.created) == (2, True)
    back = await api.PutScheduleTemplate(template=template())
    assert (back.template.version, back.created) == (3, True)
    actions = await replica.rows("SELECT action, schedule_id, generation FROM scheduler.actions ORDER BY id")
    assert [tuple(row) for row in actions] == [("put-template", "nightly", version) for version in (1, 2, 3)]


async def test_versions_are_read_and_listed(api: Api) -> None:
    for hour in "123":
        await put(api, expression=f"0 {hour} * * *")
    await put(api, template_id="weekly")
    newest = (await api.GetScheduleTemplate(template_id="nightly")).template
    assert (newest.version, newest.body.specs[0].cron.expression) == (3, "0 3 * * *")
    assert [each.name for each in newest.parameters] == ["table", "hour"]
    assert (await api.GetScheduleTemplate(template_id="nightly", version=1)).template.version == 1
    listed = await api.ListScheduleTemplates(page_size=1)
    rest = await api.ListScheduleTemplates(page_size=1, page_token=listed.next_page_token)
    assert [(one.template_id, one.version) for one in (*listed.templates, *rest.templates)] == [
        ("nightly", 3),
        ("weekly", 1),
    ]
    assert rest.next_page_token == ""
    first = await api.ListScheduleTemplates(template_id="nightly", page_size=2)
    second = await api.ListScheduleTemplates(
        template_id="nightly", page_size=2, page_token=first.next_page_token
    )
    assert [one.version for one in (*first.templates, *second.templates)] == [3, 2, 1]
    await refused(api.GetScheduleTemplate(template_id="nightly", version=9), NOT_FOUND)
    assert (
        await refused(api.GetScheduleTemplate("other", template_id="nightly"), NOT_FOUND)
    ).reason == "SCHEDULE_TEMPLATE_NOT_FOUND"


async def test_what_makes_no_valid_schedule_is_refused(api: Api) -> None:
    for wrong, field, rule in (
        (template(handler="dump ${tabel}"), "template.body.template.handler", "no parameter 'tabel'"),
        (template(handler="dump ${"), "template.body.template.handler", "$${"),
        (template("0 ${hour} 31 2 *"), "template.body.specs[0].cron.expression", ""),
        (template(parameters=[TABLE, template_pb.TemplateParameter(name="hour", default="99")]),
         "template.body.specs[0].cron.expression", ""),
        (template(parameters=[TABLE, HOUR, HOUR]), "template.parameters[2].name", "twice"),
        (template(handler=" "), "template.body.template", "handler"),
        (template(body=pb.Schedule(labels={"a": "b"})), "template.body.labels", "its own"),
        (template(parameters=[template_pb.TemplateParameter(name="a-b")]), "template.parameters[0].name", ""),
    ):  # fmt: skip
        violations = (await refused(api.PutScheduleTemplate(template=wrong), INVALID)).violations
        assert rule in violations[field]


async def test_a_body_is_not_tried_out_without_a_value_for_each_parameter(api: Api) -> None:
    unknown = template_pb.TemplateParameter(name="hour")
    await put(api, expression="0 ${hour} * * *", parameters=[TABLE, unknown])
    refusal = await refused(api.CreateSchedule(schedule=made()), INVALID)
    assert "must have hour" in refusal.violations["schedule.source.parameters"]
    await api.CreateSchedule(schedule=made(table="orders", hour="4"))


async def test_a_schedule_is_made_of_the_newest_version_and_pinned_to_it(api: Api) -> None:
    await put(api)
    created = (await api.CreateSchedule(schedule=made(table="orders", labels={"app": "shop"}))).schedule
    assert created.specs[0].cron.expression == "0 3 * * *"
    assert (created.template.handler, created.template.name) == ("dump orders", "a")
    assert (created.source.version, dict(created.source.parameters)) == (1, {"table": "orders"})
    assert (dict(created.labels), created.next_fire_time) == ({"app": "shop"}, stamp("2026-01-01T03:00:00Z"))
    await put(api, expression="0 5 * * *")
    assert (await api.GetSchedule(schedule_id="a")).schedule == created
    assert (await api.CreateSchedule(schedule=made("b"))).schedule.source.version == 2
    assert (await api.CreateSchedule(schedule=made("c", version=1))).schedule.source.version == 1
    assert (await api.GetScheduleTemplate(template_id="nightly", version=1)).template.schedules == 2


async def test_places_are_filled_in_everywhere_and_nowhere_twice(api: Api) -> None:
    body = pb.Schedule(
        specs=[cron("0 3 * * *")],
        time_zone="${zone}",
        include_calendars=[],
        template=TaskTemplate(
            handler="echo $${HOME} $HOME ${text}",
            queue="${queue}",
            payload=b'{"text": "${text}", "n": ${n}}',
        ),
    )
    values = {"zone": "Asia/Tokyo", "text": 'a "b" ${zone}\n', "queue": "q", "n": "17"}
    parameters = [template_pb.TemplateParameter(name=name) for name in values]
    await put(api, body=body, parameters=parameters)
    created = (await api.CreateSchedule(schedule=made(**values))).schedule
    assert created.time_zone == "Asia/Tokyo"
    assert created.template.handler == 'echo ${HOME} $HOME a "b" ${zone}\n'
    assert created.template.queue == "q"
    stored = await api.GetSchedule(schedule_id="a")
    assert json.loads(stored.schedule.template.payload) == {"text": values["text"], "n": 17}


async def test_what_does_not_fit_the_version_is_refused(api: Api) -> None:
    await put(api)
    for asked, field, rule in (
        (made(tabel="x"), 'schedule.source.parameters["tabel"]', "no parameter"),
        (made(hour="4"), "schedule.source.parameters", "must have table"),
        (made(table="orders", hour="99"), "schedule.source", "specs[0].cron.expression"),
        (schedule(source=made().source), "schedule.specs", "must be empty"),
    ):
        assert rule in (await refused(api.CreateSchedule(schedule=asked), INVALID)).violations[field]
    await refused(api.CreateSchedule(schedule=made(version=7)), NOT_FOUND)


async def test_a_repeated_request_is_the_same_when_a_newer_version_is_there(api: Api) -> None:
    await put(api)
    first = await api.CreateSchedule(schedule=made(), request_id="r")
    await put(api, expression="0 5 * * *")
    assert await api.CreateSchedule(schedule=made(), request_id="r") == first
    other = api.CreateSchedule(schedule=made(table="users"), request_id="r")
    assert (await refused(other, EXISTS)).reason == "REQUEST_ID_REUSED"


async def test_a_batch_judges_each_source_alone(api: Api) -> None:
    await put(api)
    requests = [{"schedule": each} for each in (made("a"), made("b", version=9), made("c"), schedule("d"))]
    verdicts = (await api.BatchCreateSchedules(requests=requests)).verdicts
    assert [verdict.reason for verdict in verdicts] == ["", "SCHEDULE_TEMPLATE_NOT_FOUND", "", ""]


async def update(api: Api, changed: pb.Schedule, *paths: str) -> pb.Schedule:
    updated: pb.Schedule = (
        await api.UpdateSchedule(schedule=changed, update_mask=FieldMask(paths=paths))
    ).schedule
    return updated


async def test_only_labels_and_source_of_such_a_schedule_can_be_changed(api: Api) -> None:
    await put(api)
    await api.CreateSchedule(schedule=made())
    call = api.UpdateSchedule(schedule=schedule(), update_mask=FieldMask(paths=["specs", "labels"]))
    assert (await refused(call, PRECONDITION)).reason == "SCHEDULE_MADE_OF_TEMPLATE"
    marked = await update(api, pb.Schedule(schedule_id="a", labels={"app": "shop"}), "labels")
    assert (dict(marked.labels), marked.specs[0].cron.expression) == ({"app": "shop"}, "0 3 * * *")
    moved = await update(api, made(table="users", hour="6"), "source")
    assert (moved.template.handler, moved.specs[0].cron.expression) == ("dump users", "0 6 * * *")
    assert (dict(moved.labels), moved.generation) == ({"app": "shop"}, 3)
    both = api.UpdateSchedule(schedule=made(), update_mask=FieldMask(paths=["source", "specs"]))
    assert "schedule.specs" in (await refused(both, INVALID)).violations


async def test_taking_the_source_away_keeps_what_is_in_force(api: Api) -> None:
    await put(api)
    await api.CreateSchedule(schedule=made())
    alone = await update(api, pb.Schedule(schedule_id="a"), "source")
    assert not alone.HasField("source")
    assert alone.template.handler == "dump orders"
    changed = await update(api, schedule("a", cron("@weekly")), "specs")
    assert changed.specs[0].cron.expression == "@weekly"
    again = await update(api, made(), "source")
    assert again.specs[0].cron.expression == "0 3 * * *"
    other = await update(api, schedule("a", cron("@monthly")), "source", "specs", "template")
    assert (other.specs[0].cron.expression, other.template.handler) == ("@monthly", "name:work")


async def test_a_schedule_template_in_use_cannot_be_deleted(api: Api, replica: Replica) -> None:
    await put(api)
    await put(api, expression="0 5 * * *")
    await api.CreateSchedule(schedule=made(version=1))
    refusal = await refused(api.DeleteScheduleTemplate(template_id="nightly"), PRECONDITION)
    assert (refusal.reason, "such as a" in refusal.message) == ("SCHEDULE_TEMPLATE_IN_USE", True)
    await api.DeleteSchedule(schedule_id="a")
    await api.DeleteScheduleTemplate(template_id="nightly")
    await refused(api.DeleteScheduleTemplate(template_id="nightly"), NOT_FOUND)
    assert await replica.query("SELECT count(*) FROM scheduler.schedule_templates") == 0


async def test_a_schedule_template_that_is_deleted_meanwhile_makes_no_schedule(
    api: Api, replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put(api)
    await api.CreateSchedule(schedule=schedule("b"))
    read = await replica.templates.get(ANN, "nightly", 0)
    await api.DeleteScheduleTemplate(template_id="nightly")

    async def as_read_before(*_: object) -> ScheduleTemplate:
        return read

    monkeypatch.setattr(replica.templates, "get", as_read_before)
    assert "deleted meanwhile" in (await refused(api.CreateSchedule(schedule=made()), ABORTED)).message
    call = api.UpdateSchedule(schedule=made("b"), update_mask=FieldMask(paths=["source"]))
    await refused(call, ABORTED)
    await refused(api.GetSchedule(schedule_id="a"), NOT_FOUND)


async def test_an_upgrade_moves_all_schedules_and_keeps_their_parameters(api: Api, replica: Replica) -> None:
    await put(api)
    for name in ("a", "b"):
        await api.CreateSchedule(schedule=made(name, table=name, labels={"app": name}))
    await put(api, expression="30 ${hour} * * *", handler="dump2 ${table}")
    await api.CreateSchedule(schedule=made("c"))
    planned = await api.UpgradeSchedules(template_id="nightly", dry_run=True)
    assert (planned.changed, [each.schedule_id for each in planned.upgrades]) == (2, ["a", "b"])
    assert list(planned.upgrades[0].changed_fields) == ["specs", "template"]
    assert (await api.GetSchedule(schedule_id="a")).schedule.source.version == 1
    assert await api.UpgradeSchedules(template_id="nightly") == planned
    moved = (await api.GetSchedule(schedule_id="b")).schedule
    assert (moved.specs[0].cron.expression, moved.template.handler) == ("30 3 * * *", "dump2 b")
    assert (moved.source.version, dict(moved.labels), moved.generation) == (2, {"app": "b"}, 2)
    assert moved.next_fire_time == stamp("2026-01-01T03:30:00Z")
    assert (await api.UpgradeSchedules(template_id="nightly")).changed == 0
    count = "SELECT count(*) FROM scheduler.actions WHERE action = 'upgrade'"
    assert await replica.query(count) == 2


async def test_an_upgrade_may_go_from_one_version_to_another_with_other_values(api: Api) -> None:
    for hour in "123":
        await put(api, expression=f"{hour} ${{hour}} * * *")
    for version in (1, 2):
        await api.CreateSchedule(schedule=made(f"v{version}", version=version))
    done = await api.UpgradeSchedules(
        template_id="nightly", from_version=2, to_version=1, parameters={"hour": "6"}
    )
    assert [each.schedule_id for each in done.upgrades] == ["v2"]
    assert (await api.GetSchedule(schedule_id="v2")).schedule.specs[0].cron.expression == "1 6 * * *"


async def test_an_upgrade_that_does_not_fit_all_changes_none(api: Api) -> None:
    await put(api)
    await api.CreateSchedule(schedule=made("a", table="a"))
    await api.CreateSchedule(schedule=made("b", table="b", hour="4"))
    minute = template_pb.TemplateParameter(name="minute", default="0")
    await put(api, expression="${minute} 3 * * *", parameters=[TABLE, minute])
    planned = await api.UpgradeSchedules(template_id="nightly", dry_run=True)
    assert [(each.schedule_id, bool(each.error)) for each in planned.upgrades] == [("a", False), ("b", True)]
    assert planned.changed == 1
    refusal = await refused(api.UpgradeSchedules(template_id="nightly"), PRECONDITION)
    assert refusal.reason == "UPGRADE_REFUSED"
    assert 'b: source.parameters["hour"]' in refusal.message
    assert (await api.GetSchedule(schedule_id="a")).schedule.source.version == 1
    await refused(api.UpgradeSchedules(template_id="nightly", to_version=9), NOT_FOUND)


async def test_schedules_are_listed_by_their_labels(api: Api) -> None:
    for name, labels in (("a", {"app": "shop"}), ("b", {"app": "shop", "tier": "1"}), ("c", {})):
        await api.CreateSchedule(schedule=schedule(name, labels=labels))

    async def found(**labels: str) -> list[str]:
        return [one.schedule_id for one in (await api.ListSchedules(labels=labels)).schedules]

    assert await found(app="shop") == ["a", "b"]
    assert await found(app="shop", tier="1") == ["b"]
    assert await found(app="sho") == []
    assert await found() == ["a", "b", "c"]
    page = await api.ListSchedules(labels={"app": "shop"}, page_size=1)
    await refused(api.ListSchedules(page_token=page.next_page_token), INVALID)


async def test_an_upgrade_of_too_many_schedules_is_refused(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(templates, "MOST_UPGRADES", 1)
    await put(api)
    for name in ("a", "b"):
        await api.CreateSchedule(schedule=made(name))
    await put(api, expression="0 5 * * *")
    await api.CreateSchedule(schedule=made("c"))
    refusal = await refused(api.UpgradeSchedules(template_id="nightly"), PRECONDITION)
    assert refusal.reason == "UPGRADE_REFUSED"
    done = await api.UpgradeSchedules(template_id="nightly", from_version=2, to_version=1)
    assert [each.schedule_id for each in done.upgrades] == ["c"]


async def test_an_upgrade_counts_the_runs_that_are_on_their_way(
    api: Api, replica: Replica, clock: ManualClock
) -> None:
    body = pb.Schedule(specs=[cron("* * * * *")], template=TaskTemplate(handler="dump ${table}"), max_runs=1)
    await put(api, body=body)
    await api.CreateSchedule(schedule=made("a"))
    clock.advance(timedelta(minutes=1))
    await replica.fire_due()
    clock.advance(timedelta(minutes=1))
    body.template.handler = "dump2 ${table}"
    await put(api, body=body)
    assert (await api.UpgradeSchedules(template_id="nightly")).changed == 1
    dispositions = [fire.disposition for fire in await replica.fires("a")]
    assert dispositions == [Disposition.PENDING, Disposition.PAUSED]
