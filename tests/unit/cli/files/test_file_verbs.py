"""`batonpass apply`, `diff`, `export`, `delete`, `import` and `template`: what they ask and say."""

from pathlib import Path

import grpc
import pytest
from batonpass.cli.files import yaml_text
from batonpass.scheduler.v1 import (
    calendar_service_pb2,
    schedule_pb2,
    schedule_service_pb2,
    template_service_pb2,
)

from tests.support.fake_services import FakeServices, Refusal
from tests.unit.cli import making
from tests.unit.cli.conftest import CommandLine

NOT_FOUND = Refusal(grpc.StatusCode.NOT_FOUND, "there is none", reason="SCHEDULE_NOT_FOUND")
FILE = """
kind: Schedule
schedule_id: backup-daily
specs: [cron: "0 2 * * *"]
labels: {app: shop}
task: {handler: ./backup.sh, priority: 9}
---
kind: ScheduleTemplate
template_id: nightly
body: {specs: [cron: "0 3 * * *"], task: {handler: "dump ${table}"}}
parameters: [name: table]
---
kind: Calendar
calendar_id: holidays
holidays: [DE]
"""
NIGHTLY = template_service_pb2.ScheduleTemplate(
    template_id="nightly",
    version=3,
    schedules=2,
    parameters=[template_service_pb2.TemplateParameter(name="table")],
    body=schedule_pb2.Schedule(template=making.template(handler="dump ${table}")),
)


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "shop.yaml"
    path.write_text(FILE)
    return str(path)


@pytest.fixture
def services(services: FakeServices) -> FakeServices:
    """Services in which there is nothing yet."""
    for method in ("GetSchedule", "GetCalendar", "GetScheduleTemplate"):
        services.answer(method, NOT_FOUND)
    return services


def stored(services: FakeServices, *schedules: schedule_pb2.Schedule) -> None:
    replies = [schedule_service_pb2.GetScheduleResponse(schedule=one) for one in schedules]
    services.answer("GetSchedule", *replies)


def changes(services: FakeServices) -> list[str]:
    """The calls that are no questions."""
    questions = ("Get", "List", "Preview")
    return [call.method for call in services.calls if not call.method.startswith(questions)]


def test_apply_makes_what_is_not_there_in_order(
    services: FakeServices, batonpass: CommandLine, file: str
) -> None:
    said = batonpass("apply", "-f", file).stdout.splitlines()
    assert said == [
        "created calendar holidays",
        "created schedule template nightly",
        "created schedule backup-daily",
    ]
    assert changes(services) == ["CreateCalendar", "PutScheduleTemplate", "CreateSchedule"]
    made = services.request("CreateSchedule").schedule
    assert (made.template.handler, made.template.name) == ("./backup.sh", "backup-daily")
    assert services.request("CreateCalendar").calendar.holidays[0].country == "DE"


def test_apply_changes_only_what_differs(services: FakeServices, batonpass: CommandLine, file: str) -> None:
    stored(services, making.schedule(generation=7, labels={"app": "shop"}))
    record = batonpass.json("apply", "-f", file)
    assert record["changes"][-1] == {
        "kind": "Schedule",
        "id": "backup-daily",
        "change": "update",
        "fields": ["task"],
        "notes": [],
    }
    request = services.request("UpdateSchedule")
    assert (list(request.update_mask.paths), request.generation) == (["template"], 7)


def test_apply_leaves_alone_what_is_right_already(
    services: FakeServices, batonpass: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "a.yaml").write_text(FILE.split("---")[0])
    right = making.template(handler="./backup.sh", name="backup-daily", priority=9)
    right.ClearField("resources")
    stored(services, making.schedule(template=right, labels={"app": "shop"}, disabled=True))
    assert batonpass("apply", "-f", str(tmp_path)).stdout == "unchanged schedule backup-daily\n"
    assert [call.method for call in services.calls] == ["GetSchedule"]


def test_apply_switches_only_as_the_file_says(
    services: FakeServices, batonpass: CommandLine, tmp_path: Path
) -> None:
    document = "kind: Schedule\nschedule_id: s\ndisabled: true\nsource: {template_id: nightly}\n"
    (tmp_path / "a.yaml").write_text(document)
    source = schedule_pb2.TemplateSource(template_id="nightly", version=2)
    stored(services, making.schedule("s", source=source))
    assert "updated schedule s: disabled" in batonpass("apply", "-f", str(tmp_path)).stdout
    assert changes(services) == ["DisableSchedule"]


def test_a_dry_run_changes_nothing(services: FakeServices, batonpass: CommandLine, file: str) -> None:
    assert "would create calendar holidays" in batonpass("apply", "-f", file, "--dry-run").stdout
    assert changes(services) == []


def test_everything_is_checked_before_the_first_is_applied(
    services: FakeServices, batonpass: CommandLine, file: str, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("kind: Schedule\nschedule_id: x\nspecs: [cron]\n")
    said = batonpass("apply", "-f", file, "-f", str(broken), expect=2).stderr
    assert "broken.yaml, document 1 (line 1): specs[0]: must be a mapping" in said
    assert services.calls == []
    refusal = Refusal(
        grpc.StatusCode.INVALID_ARGUMENT,
        "no",
        reason="INVALID_SCHEDULE",
        violations=[("draft.template.priority", "must be less"), ("draft.specs[0].cron.expression", "wrong")],
    )
    services.answer("PreviewSchedule", refusal)
    said = batonpass("apply", "-f", file, expect=1).stderr
    assert "shop.yaml, document 1 (line 2): task.priority: must be less" in said
    assert "shop.yaml, document 1 (line 2): specs[0].cron.expression: wrong" in said
    assert changes(services) == []


def test_a_calendar_of_the_same_files_need_not_exist_when_a_schedule_is_checked(
    services: FakeServices, batonpass: CommandLine, tmp_path: Path
) -> None:
    document = "kind: Schedule\nschedule_id: s\nspecs: [interval: 1h]\ntask: {handler: h}\n"
    (tmp_path / "a.yaml").write_text(f"{document}exclude_calendars: [old, new]\n")
    (tmp_path / "b.yaml").write_text("kind: Calendar\ncalendar_id: new\n")
    batonpass("apply", "-f", str(tmp_path))
    assert list(services.request("PreviewSchedule").draft.exclude_calendars) == ["old"]
    assert list(services.request("CreateSchedule").schedule.exclude_calendars) == ["old", "new"]


def test_what_was_done_is_said_when_apply_ends_early(
    services: FakeServices, batonpass: CommandLine, file: str
) -> None:
    services.answer(
        "CreateSchedule", Refusal(grpc.StatusCode.UNAVAILABLE, "away", reason="DATABASE_UNAVAILABLE")
    )
    result = batonpass("apply", "-f", file, expect=1)
    assert result.stdout.splitlines() == ["created calendar holidays", "created schedule template nightly"]
    assert "away" in result.stderr


def test_prune_deletes_marked_schedules_that_no_file_has(
    services: FakeServices, batonpass: CommandLine, file: str
) -> None:
    found = [making.schedule(name) for name in ("backup-daily", "old")]
    services.answer("ListSchedules", schedule_service_pb2.ListSchedulesResponse(schedules=found))
    words = ("apply", "-f", file, "--prune", "-l", "app=shop")
    assert "would delete schedule old" in batonpass(*words, "--dry-run").stdout
    assert "deleted schedule old" in batonpass(*words).stdout
    assert services.request("DeleteSchedule").schedule_id == "old"
    assert dict(services.requests("ListSchedules")[0].labels) == {"app": "shop"}


@pytest.mark.parametrize("words", [("--prune",), ("-l", "app=shop")])
def test_prune_and_its_labels_belong_together(
    batonpass: CommandLine, file: str, words: tuple[str, ...]
) -> None:
    assert "belong together" in batonpass("apply", "-f", file, *words, expect=2).stderr


def test_diff_shows_lines_and_fails_when_there_is_a_difference(
    services: FakeServices, batonpass: CommandLine, file: str
) -> None:
    stored(services, making.schedule(labels={"app": "shop"}))
    shown = batonpass("diff", "-f", file, expect=1).stdout
    assert "--- schedule backup-daily (now)" in shown
    assert "-  priority: 8\n" in shown
    assert "+  priority: 9\n" in shown
    assert "+calendar_id: holidays" in shown
    assert changes(services) == []


def test_diff_of_what_is_right_says_so(
    services: FakeServices, batonpass: CommandLine, tmp_path: Path
) -> None:
    services.answer("GetScheduleTemplate", template_service_pb2.GetScheduleTemplateResponse(template=NIGHTLY))
    (tmp_path / "a.yaml").write_text(batonpass("template", "get", "nightly").stdout)
    assert batonpass("diff", "-f", str(tmp_path)).stdout == "Everything is as the files say.\n"
    assert batonpass.json("diff", "-f", str(tmp_path)) == {"differences": []}


def test_delete_goes_backwards_and_forgives_what_is_gone(
    services: FakeServices, batonpass: CommandLine, file: str
) -> None:
    services.answer("DeleteScheduleTemplate", NOT_FOUND)
    assert batonpass("delete", "-f", file).stdout.splitlines() == [
        "deleted schedule backup-daily",
        "absent schedule template nightly",
        "deleted calendar holidays",
    ]
    assert changes(services) == ["DeleteSchedule", "DeleteScheduleTemplate", "DeleteCalendar"]


def test_export_has_what_schedules_need(services: FakeServices, batonpass: CommandLine) -> None:
    source = schedule_pb2.TemplateSource(template_id="nightly", version=3)
    made = making.schedule("made", source=source)
    plain = making.schedule("plain", exclude_calendars=["holidays"])
    stored(services, made, plain)
    calendars = [calendar_service_pb2.Calendar(calendar_id=name) for name in ("holidays", "other")]
    services.answer("ListCalendars", calendar_service_pb2.ListCalendarsResponse(calendars=calendars))
    templates = [NIGHTLY, template_service_pb2.ScheduleTemplate(template_id="other", version=1)]
    services.answer(
        "ListScheduleTemplates", template_service_pb2.ListScheduleTemplatesResponse(templates=templates)
    )
    text = batonpass("export", "made", "plain").stdout
    documents = [content.value for content in yaml_text.documents(text)]
    assert [one["kind"] for one in documents] == ["Calendar", "ScheduleTemplate", "Schedule", "Schedule"]
    assert documents[2] == {"kind": "Schedule", "schedule_id": "made", "source": {"template_id": "nightly"}}
    assert documents[3]["task"] == {
        "handler": "./backup.sh",
        "priority": 8,
        "resources": {"cpu_percent": 10.0, "memory_percent": 15.0},
        "name": "Daily Backup",
    }


def test_export_pins_a_version_that_is_not_the_newest(services: FakeServices, batonpass: CommandLine) -> None:
    stored(
        services,
        making.schedule("made", source=schedule_pb2.TemplateSource(template_id="nightly", version=2)),
    )
    services.answer(
        "ListScheduleTemplates", template_service_pb2.ListScheduleTemplatesResponse(templates=[NIGHTLY])
    )
    documents = batonpass.json("export", "made")["documents"]
    assert documents[-1]["source"] == {"template_id": "nightly", "version": 2}


def test_a_crontab_is_imported_job_by_job(
    services: FakeServices, batonpass: CommandLine, tmp_path: Path
) -> None:
    table = tmp_path / "crontab"
    table.write_text("MAILTO=me\n0 2 * * * ./backup.sh\n@reboot ./start.sh\n")
    words = ("import", "crontab", str(table), "--prefix", "web1-", "-l", "host=web1")
    shown = batonpass(*words, "--dry-run", expect=1)
    assert "schedule_id: web1-backup-sh" in shown.stdout or "schedule_id: web1-backup" in shown.stdout
    assert "line 3: @reboot names no time" in shown.stderr
    assert "line 1: MAILTO is ignored" in shown.stderr
    assert services.calls == []
    result = batonpass(*words, expect=1)
    made = services.request("CreateSchedule").schedule
    assert result.stdout == f"created schedule {made.schedule_id}\n"
    assert (dict(made.labels), made.template.handler) == ({"host": "web1"}, "./backup.sh")


def test_a_job_that_the_scheduler_refuses_keeps_no_other_out(
    services: FakeServices, batonpass: CommandLine, tmp_path: Path
) -> None:
    table = tmp_path / "crontab"
    table.write_text("0 0 31 2 * never\n0 2 * * * daily\n")
    refusal = Refusal(
        grpc.StatusCode.INVALID_ARGUMENT,
        "no",
        reason="INVALID_SCHEDULE",
        violations=[("schedule.specs[0].cron.expression", "no such day")],
    )
    services.answer("CreateSchedule", refusal, schedule_service_pb2.CreateScheduleResponse())
    result = batonpass("import", "crontab", str(table), expect=1)
    assert "crontab, line 1: specs[0].cron.expression: no such day" in result.stderr
    assert result.stdout == "created schedule daily\n"


def test_template_put_stores_versions(services: FakeServices, batonpass: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(FILE.split("---")[1])
    reply = template_service_pb2.PutScheduleTemplateResponse(template=NIGHTLY, created=True)
    services.answer("PutScheduleTemplate", reply)
    said = batonpass("template", "put", "-f", str(tmp_path)).stdout
    assert said == "stored version 3 of schedule template nightly\n"
    assert services.request("PutScheduleTemplate").template.body.template.handler == "dump ${table}"


def test_template_put_names_the_place_of_a_mistake(
    services: FakeServices, batonpass: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "t.yaml").write_text(FILE.split("---")[1])
    refusal = Refusal(
        grpc.StatusCode.INVALID_ARGUMENT,
        "no",
        violations=[("template.body.template.handler", "no parameter")],
    )
    services.answer("PutScheduleTemplate", refusal)
    said = batonpass("template", "put", "-f", str(tmp_path), expect=1).stderr
    assert "t.yaml, document 1 (line 2): body.task.handler: no parameter" in said


def test_template_put_takes_nothing_else(batonpass: CommandLine, file: str) -> None:
    assert "is no ScheduleTemplate" in batonpass("template", "put", "-f", file, expect=2).stderr


def test_templates_are_listed(services: FakeServices, batonpass: CommandLine) -> None:
    services.answer(
        "ListScheduleTemplates", template_service_pb2.ListScheduleTemplatesResponse(templates=[NIGHTLY])
    )
    heading, line = batonpass("template", "list").stdout.splitlines()
    assert heading.split()[:4] == ["ID", "VERSION", "SCHEDULES", "PARAMETERS"]
    assert line.split()[:4] == ["nightly", "3", "2", "table"]
    batonpass("template", "list", "nightly")
    assert services.requests("ListScheduleTemplates")[-1].template_id == "nightly"


def test_an_upgrade_says_what_it_does_to_each(services: FakeServices, batonpass: CommandLine) -> None:
    upgrades = [
        template_service_pb2.ScheduleUpgrade(
            schedule_id="a", from_version=1, to_version=3, changed_fields=["specs", "template"]
        ),
        template_service_pb2.ScheduleUpgrade(schedule_id="b", from_version=2, to_version=3, error="no hour"),
    ]
    services.answer(
        "UpgradeSchedules", template_service_pb2.UpgradeSchedulesResponse(changed=1, upgrades=upgrades)
    )
    words = ("template", "upgrade", "nightly", "--from", "1", "--param", "hour=4", "--dry-run")
    assert batonpass(*words).stdout.splitlines() == [
        "1 schedule would change.",
        "  a 1 -> 3: specs, template",
        "  b 2 -> 3: no hour",
    ]
    request = services.request("UpgradeSchedules")
    assert (request.from_version, dict(request.parameters), request.dry_run) == (1, {"hour": "4"}, True)


def test_template_delete_may_forgive_what_is_gone(services: FakeServices, batonpass: CommandLine) -> None:
    gone = Refusal(grpc.StatusCode.NOT_FOUND, "there is none", reason="SCHEDULE_TEMPLATE_NOT_FOUND")
    services.answer("DeleteScheduleTemplate", gone)
    error = batonpass.error("template", "delete", "nightly")
    assert error["code"] == "NOT_FOUND"
    assert error["hint"] == "batonpass template list shows what there is."
    assert batonpass.json("template", "delete", "nightly", "--if-exists")["deleted"] is False
