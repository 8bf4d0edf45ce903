"""Files applied to a real scheduler: what they say is what there is, and only that changes."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click.testing
import pytest
from batonpass.cli.files import yaml_text
from batonpass.cli.main import cli

from tests.integration.scheduler.calls import Api
from tests.integration.scheduler.replica import Replica

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
SCHEDULES = EXAMPLES / "schedules.yaml"

Run = Callable[..., Any]


@pytest.fixture
def run(address: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`await run(*words, expect=0)`: a command line, beside the server; returns what it prints."""
    monkeypatch.setenv("BATONPASS_SCHEDULER", address)

    async def call(*words: str, expect: int = 0) -> str:
        runner = click.testing.CliRunner()
        result = await asyncio.to_thread(runner.invoke, cli, list(words), prog_name="batonpass")
        assert result.exit_code == expect, f"{words}: {result.stdout}\n{result.stderr}"
        return str(result.stdout)

    return call


async def changes(run: Run, *words: str) -> dict[str, str]:
    """What `apply` does to each, by id."""
    record = json.loads(await run("apply", *words, "-o", "json"))
    return {change["id"]: change["change"] for change in record["changes"]}


async def generations(replica: Replica) -> dict[str, int]:
    rows = await replica.rows("SELECT schedule_id, generation FROM scheduler.schedules")
    return {row["schedule_id"]: row["generation"] for row in rows}


async def test_files_are_applied_once_and_then_nothing_changes(run: Run, replica: Replica, api: Api) -> None:
    first = await changes(run, "-f", str(SCHEDULES))
    assert next(iter(first)) == "nightly-dump", "what others are made of comes first"
    assert set(first.values()) == {"create"}
    before = await generations(replica)
    assert set((await changes(run, "-f", str(SCHEDULES))).values()) == {"unchanged"}
    assert await generations(replica) == before
    assert await run("diff", "-f", str(SCHEDULES)) == "Everything is as the files say.\n"
    made = (await api.GetSchedule(schedule_id="dump-customers")).schedule
    assert (made.specs[0].cron.expression, made.template.handler) == ("0 4 * * *", "echo dump customers")


async def test_only_what_a_file_changes_is_changed(run: Run, replica: Replica, tmp_path: Path) -> None:
    await run("apply", "-f", str(SCHEDULES))
    edited = tmp_path / "shop.yaml"
    edited.write_text(SCHEDULES.read_text().replace("priority: 8", "priority: 9").replace("30s", "45s"))
    shown = await run("diff", "-f", str(edited), expect=1)
    assert "-  priority: 8\n+  priority: 9\n" in shown
    assert "-jitter: 30s\n+jitter: 45s\n" in shown
    done = await changes(run, "-f", str(edited))
    assert {name for name, change in done.items() if change != "unchanged"} == {
        "database-backup",
        "stock-sync",
    }
    assert await generations(replica) == {
        "database-backup": 2, "stock-sync": 2, "dump-orders": 1, "dump-customers": 1, "large-orders": 1,
    }  # fmt: skip


async def test_an_export_applies_unchanged_and_makes_the_same_elsewhere(
    run: Run, replica: Replica, tmp_path: Path
) -> None:
    await run("apply", "-f", str(SCHEDULES))
    exported = tmp_path / "exported.yaml"
    exported.write_text(await run("export", "-l", "app=shop"))
    assert set((await changes(run, "-f", str(exported))).values()) == {"unchanged"}
    assert set((await changes(run, "-f", str(exported), "--namespace", "other")).values()) == {"create"}
    assert await run("export", "-l", "app=shop", "--namespace", "other") == exported.read_text()
    kinds = [content.value["kind"] for content in yaml_text.documents(exported.read_text())]
    assert kinds == ["ScheduleTemplate", *["Schedule"] * 5]


async def test_prune_and_delete_take_away_what_files_do_not_have_or_have(
    run: Run, replica: Replica, tmp_path: Path
) -> None:
    await run("apply", "-f", str(SCHEDULES))
    fewer = tmp_path / "fewer.yaml"
    fewer.write_text("---\n".join(SCHEDULES.read_text().split("---\n")[:4]))
    done = await changes(run, "-f", str(fewer), "--prune", "-l", "app=shop")
    assert {name for name, change in done.items() if change == "delete"} == {"dump-customers", "large-orders"}
    assert set(await generations(replica)) == {"database-backup", "stock-sync", "dump-orders"}
    await run("delete", "-f", str(SCHEDULES))
    assert await generations(replica) == {}
    assert await replica.query("SELECT count(*) FROM scheduler.schedule_templates") == 0


async def test_a_wrong_schedule_keeps_all_others_from_being_applied(
    run: Run, replica: Replica, tmp_path: Path
) -> None:
    (tmp_path / "a.yaml").write_text(SCHEDULES.read_text())
    (tmp_path / "b.yaml").write_text(
        'kind: Schedule\nschedule_id: never\nspecs: [cron: "0 0 31 2 *"]\ntask: {handler: h}\n'
    )
    await run("apply", "-f", str(tmp_path), expect=1)
    (tmp_path / "b.yaml").write_text("kind: Schedule\nschedule_id: empty\nspecs: [interval: 1h]\n")
    await run("apply", "-f", str(tmp_path), expect=2)
    assert await generations(replica) == {}
    assert await replica.query("SELECT count(*) FROM scheduler.schedule_templates") == 0


async def test_a_change_in_between_is_not_undone(run: Run, api: Api, tmp_path: Path) -> None:
    """An operator's switch stays, as long as the file does not mention it."""
    await run("apply", "-f", str(SCHEDULES))
    await api.DisableSchedule(schedule_id="database-backup", note="disk is full")
    assert set((await changes(run, "-f", str(SCHEDULES))).values()) == {"unchanged"}
    shop = tmp_path / "shop.yaml"
    name = "schedule_id: database-backup"
    shop.write_text(SCHEDULES.read_text().replace(name, f"{name}\ndisabled: false"))
    assert (await changes(run, "-f", str(shop)))["database-backup"] == "update"
    assert not (await api.GetSchedule(schedule_id="database-backup")).schedule.disabled


async def test_leaving_a_schedule_template_by_file(run: Run, api: Api, tmp_path: Path) -> None:
    await run("apply", "-f", str(SCHEDULES))
    alone = tmp_path / "alone.yaml"
    alone.write_text(
        'kind: Schedule\nschedule_id: dump-orders\nspecs: [cron: "0 5 * * *"]\ntask: {handler: echo}\n'
    )
    assert await changes(run, "-f", str(alone)) == {"dump-orders": "update"}
    made = (await api.GetSchedule(schedule_id="dump-orders")).schedule
    assert (made.HasField("source"), made.specs[0].cron.expression) == (False, "0 5 * * *")
    assert await changes(run, "-f", str(alone)) == {"dump-orders": "unchanged"}
    assert (await changes(run, "-f", str(SCHEDULES)))["dump-orders"] == "update"
    assert (await api.GetSchedule(schedule_id="dump-orders")).schedule.template.handler == "echo dump orders"


async def test_a_cron_job_and_a_crontab_come_due_as_they_say(run: Run, api: Api, tmp_path: Path) -> None:
    job = tmp_path / "job.yaml"
    job.write_text(
        "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: hello}\nspec:\n  schedule: '*/5 * * * *'\n"
        "  jobTemplate: {spec: {template: {spec: {containers: [{name: c, command: [date]}]}}}}\n"
    )
    table = tmp_path / "crontab"
    table.write_text("CRON_TZ=Asia/Tokyo\n30 7 * * * echo 50\\% off\n")
    for expected in ("created", "unchanged"):
        assert await run("apply", "-f", str(job)) == f"{expected} schedule hello\n"
        assert await run("import", "crontab", str(table)) == f"{expected} schedule echo-50\n"
    shown = json.loads(await run("schedule", "preview", "echo-50", "--count", "1", "-o", "json"))
    assert (shown["fires"][0]["local"], shown["fires"][0]["offset"]) == ("2026-01-02T07:30:00", "+09:00")
    assert (await api.GetSchedule(schedule_id="echo-50")).schedule.template.handler == "echo 50% off"


async def test_an_expression_is_explained(run: Run) -> None:
    said = await run("schedule", "explain", "30 7 * * mon-fri", "--time-zone", "Europe/Berlin")
    first, blank, heading, *fires = said.splitlines()
    assert "Monday to Friday" in first
    assert "Europe/Berlin" in first
    assert (blank, heading.split()[0], len(fires)) == ("", "TIME", 5)


async def test_calendars_are_made_before_the_schedules_that_need_them(
    run: Run, api: Api, tmp_path: Path
) -> None:
    file = EXAMPLES / "calendars.yaml"
    assert list((await changes(run, "-f", str(file))).items()) == [
        ("holidays", "create"),
        ("payroll", "create"),
    ]
    assert set((await changes(run, "-f", str(file))).values()) == {"unchanged"}
    exported = tmp_path / "exported.yaml"
    exported.write_text(await run("export", "payroll"))
    assert set((await changes(run, "-f", str(exported))).values()) == {"unchanged"}
    edited = tmp_path / "edited.yaml"
    edited.write_text(file.read_text().replace('"12-31"', '"12-30"'))
    assert (await changes(run, "-f", str(edited)))["holidays"] == "update"
    assert "12-30" in (await api.GetCalendar(calendar_id="holidays")).calendar.dates
    await run("delete", "-f", str(file))
    assert "absent calendar holidays" in await run("delete", "-f", str(file))


async def test_a_schedule_of_an_unknown_calendar_keeps_all_from_being_applied(
    run: Run, replica: Replica, tmp_path: Path
) -> None:
    (tmp_path / "a.yaml").write_text(SCHEDULES.read_text())
    (tmp_path / "b.yaml").write_text((EXAMPLES / "calendars.yaml").read_text().split("---\n")[1])
    await run("apply", "-f", str(tmp_path), expect=1)
    assert await generations(replica) == {}
