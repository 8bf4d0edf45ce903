"""`batonpass calendar` against a real scheduler: what the page about calendars promises."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click.testing
import pytest
from batonpass.cli.main import cli

Run = Callable[..., Any]

CLOSED = """
kind: Calendar
calendar_id: closed
time_zone: Europe/Berlin
dates: ["12-24", "12-31"]
holidays: [{country: DE, subdivision: BY}]
windows:
  - {cron: "0 0 * * SAT", duration: 48h}
periods:
  - {from_time: 2027-05-03T06:00:00Z, until_time: 2027-05-07T18:00:00Z, name: Fair}
"""

AGENDA = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:test
BEGIN:VEVENT
UID:1
SUMMARY:Closed
DTSTART;VALUE=DATE:20200101
RRULE:FREQ=MONTHLY
END:VEVENT
END:VCALENDAR
"""


@pytest.fixture
def run(address: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`await run(*words, expect=0)`: a command line, beside the server; returns its result."""
    monkeypatch.setenv("BATONPASS_SCHEDULER", address)

    async def call(*words: str, expect: int = 0, input: str | None = None) -> click.testing.Result:
        runner = click.testing.CliRunner()
        result = await asyncio.to_thread(runner.invoke, cli, list(words), input=input, prog_name="batonpass")
        assert result.exit_code == expect, f"{words}: {result.stdout}\n{result.stderr}"
        return result

    return call


@pytest.mark.parametrize(
    ("on_closed", "disposition", "detail", "fires"),
    [
        ("skip", "SKIPPED_CALENDAR", "closed by calendar closed", None),
        ("defer-to-end", "DEFERRED", "2026-12-27T23:00:00.000000Z", "2026-12-27T23:00:00Z"),
        ("previous-business-day", "DEFERRED", "2026-12-23T05:00:00.000000Z", "2026-12-23T05:00:00Z"),
        ("next-business-day", "DEFERRED", "2026-12-28T05:00:00.000000Z", "2026-12-28T05:00:00Z"),
    ],
)
async def test_closed_instants_become_what_the_page_says(
    run: Run, on_closed: str, disposition: str, detail: str, fires: str | None
) -> None:
    await run("calendar", "create", "-f", "-", input=CLOSED)
    monthly = ("--cron", "0 6 25 * *", "--time-zone", "Europe/Berlin", "--from", "2026-12-01T00:00:00Z")
    closing = ("--exclude-calendar", "closed", "--on-closed", on_closed, "--count", "3")
    shown = json.loads((await run("schedule", "preview", *monthly, *closing, "-o", "json")).stdout)["fires"]
    found = {fire["time"]: fire for fire in shown}
    assert found["2026-12-25T05:00:00Z"]["disposition"] == disposition
    assert detail in found["2026-12-25T05:00:00Z"]["detail"]
    fired = [time for time, fire in found.items() if fire["disposition"] == "FIRED" and time < "2027"]
    assert fired == ([fires] if fires else [])


async def test_a_calendar_lives_on_the_command_line(run: Run) -> None:
    await run("calendar", "create", "-f", "-", input=CLOSED)
    coming = await run("calendar", "periods", "closed", "--from", "2026-12-24T00:00:00Z", "--count", "1")
    assert "2026-12-24 00:00 +01:00" in coming.stdout
    assert "2026-12-28 00:00 +01:00" in coming.stdout
    updated = await run("calendar", "update", "closed", "--date", "12-24", "--version", "1", "-o", "json")
    assert json.loads(updated.stdout)["version"] == 2
    late = await run("calendar", "update", "closed", "--date", "12-25", "--version", "1", expect=1)
    assert "look at it again" in late.stderr
    assert "closed" in (await run("calendar", "list")).stdout
    await run("calendar", "delete", "closed")
    assert "There is no calendar closed" in (await run("calendar", "delete", "closed", "--if-exists")).stdout


async def test_a_rule_that_is_broken_is_told_by_option(run: Run) -> None:
    wrong = ("--holidays", "DE-XX", "--window", "0 0 22 * * *", "--for", "8h")
    said = (await run("calendar", "create", "x", *wrong, expect=1)).stderr
    assert "--window: must have five fields" in said
    said = (await run("calendar", "create", "x", "--holidays", "DE-XX", expect=1)).stderr
    assert "--holidays: 'XX' is not known" in said


async def test_an_agenda_is_imported_twice_and_kept(run: Run, tmp_path: Path) -> None:
    (tmp_path / "agenda.ics").write_text(AGENDA)
    words = ("calendar", "import", "agenda", str(tmp_path / "agenda.ics"), "--horizon", "1y")
    assert (await run(*words)).stdout.startswith("Created agenda with ")
    again = json.loads((await run(*words, "-o", "json")).stdout)
    assert (again["created"], again["moved_schedules"]) == (False, 0)
    assert 12 <= len(again["periods"]) <= 13
