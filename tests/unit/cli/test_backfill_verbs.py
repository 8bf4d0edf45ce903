"""`batonpass backfill`, `schedule enable --backfill` and `schedule moved`: what they ask and show."""

from datetime import UTC, datetime, timedelta

import pytest
from batonpass.queue.v1 import task_pb2
from batonpass.scheduler.v1 import backfill_service_pb2 as pb
from batonpass.scheduler.v1 import schedule_service_pb2

from tests.support.fake_services import FakeServices
from tests.unit.cli import making
from tests.unit.cli.conftest import CommandLine

MARCH, APRIL = "2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z"


def backfill(**fields: object) -> pb.Backfill:
    given = {
        "backfill_id": "b1",
        "schedule_id": "report",
        "from_time": making.at(datetime(2026, 3, 1, tzinfo=UTC)),
        "until_time": making.at(datetime(2026, 4, 1, tzinfo=UTC)),
        "per_minute": 60,
        "overlap_policy": task_pb2.OVERLAP_POLICY_BUFFER_ALL,
        "priority": 3,
        "state": pb.BACKFILL_STATE_RUNNING,
        "total": 31,
        "actor": "ann",
    }
    return pb.Backfill(**(given | fields))  # type: ignore[arg-type]


def test_create_sends_what_was_said_and_tells_what_was_started(
    services: FakeServices, batonpass: CommandLine
) -> None:
    services.answer("CreateBackfill", pb.CreateBackfillResponse(backfill=backfill()))
    words = ("--per-minute", "600", "--overlap", "allow-all", "--priority", "2", "--request-id", "r")
    done = batonpass("backfill", "create", "report", "--from", MARCH, "--until", APRIL, *words)
    request = services.request("CreateBackfill")
    assert (request.backfill.schedule_id, request.backfill.per_minute, request.backfill.priority) == (
        "report", 600, 2,
    )  # fmt: skip
    assert request.backfill.overlap_policy == task_pb2.OVERLAP_POLICY_ALLOW_ALL
    assert request.backfill.until_time.ToJsonString() == APRIL
    assert (request.request_id, request.dry_run) == ("r", False)
    assert "Backfill b1 fires 31 instants of report, 60 a minute, at priority 3." in done.stdout


def test_dry_run_counts_and_shows_the_first(services: FakeServices, batonpass: CommandLine) -> None:
    first = [making.at(datetime(2026, 3, day, tzinfo=UTC)) for day in range(1, 11)]
    answer = pb.CreateBackfillResponse(backfill=backfill(backfill_id=""), first_times=first)
    services.answer("CreateBackfill", answer)
    done = batonpass("backfill", "create", "report", "--from", "-7d", "--until", "now", "--dry-run")
    request = services.request("CreateBackfill")
    assert request.dry_run
    age = request.backfill.until_time.ToDatetime() - request.backfill.from_time.ToDatetime()
    assert timedelta(days=7) - timedelta(minutes=1) < age < timedelta(days=7) + timedelta(minutes=1)
    assert done.stdout.splitlines()[:2] == ["31 instants of report:", "2026-03-01T00:00:00Z"]
    assert done.stdout.splitlines()[-1] == "..."


def test_wait_ends_when_the_queue_has_answered_to_all(
    services: FakeServices, batonpass: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batonpass.cli.backfill.LOOK_EVERY", 0.0)
    done, rest = pb.BACKFILL_STATE_DONE, {"fired": 31}
    services.answer("CreateBackfill", pb.CreateBackfillResponse(backfill=backfill()))
    services.answer(
        "GetBackfill",
        pb.GetBackfillResponse(backfill=backfill(fired=20, accepted=20)),
        pb.GetBackfillResponse(backfill=backfill(state=done, accepted=30, **rest)),
        pb.GetBackfillResponse(backfill=backfill(state=done, accepted=31, **rest)),
    )
    shown = batonpass.json("backfill", "create", "report", "--from", MARCH, "--until", APRIL, "--wait")
    assert (shown["state"], shown["accepted"]) == ("DONE", 31)


def test_wait_fails_when_the_queue_refused_some(services: FakeServices, batonpass: CommandLine) -> None:
    services.answer("CreateBackfill", pb.CreateBackfillResponse(backfill=backfill()))
    ended = backfill(state=pb.BACKFILL_STATE_DONE, fired=31, accepted=30, refused=1)
    services.answer("GetBackfill", pb.GetBackfillResponse(backfill=ended))
    batonpass("backfill", "create", "report", "--from", MARCH, "--until", APRIL, "--wait", expect=1)


def test_list_filters_and_shows_progress(services: FakeServices, batonpass: CommandLine) -> None:
    services.answer("ListBackfills", pb.ListBackfillsResponse(backfills=[backfill(fired=7)]))
    done = batonpass("backfill", "list", "--schedule", "report", "--state", "running")
    request = services.request("ListBackfills")
    assert (request.schedule_id, request.state) == ("report", pb.BACKFILL_STATE_RUNNING)
    assert "7/31" in done.stdout


def test_get_and_cancel(services: FakeServices, batonpass: CommandLine) -> None:
    services.answer("GetBackfill", pb.GetBackfillResponse(backfill=backfill()))
    record = batonpass.json("backfill", "get", "b1")
    assert (record["backfill_id"], record["from"], record["overlap_policy"]) == (
        "b1", "2026-03-01T00:00:00Z", "BUFFER_ALL",
    )  # fmt: skip
    cancelled = backfill(state=pb.BACKFILL_STATE_CANCELLED, fired=3)
    services.answer("CancelBackfill", pb.CancelBackfillResponse(backfill=cancelled))
    done = batonpass("backfill", "cancel", "b1")
    assert services.request("CancelBackfill").backfill_id == "b1"
    assert done.stdout.strip() == "Backfill b1 is CANCELLED: 3 of 31 fired."


def test_enable_asks_for_the_backfill_of_the_pause(services: FakeServices, batonpass: CommandLine) -> None:
    answer = schedule_service_pb2.EnableScheduleResponse(schedule=making.schedule(), backfill_id="b1")
    services.answer("EnableSchedule", answer)
    done = batonpass("schedule", "enable", "report", "--backfill")
    assert services.request("EnableSchedule").backfill
    assert "backfill get b1" in done.stdout


def test_fires_of_a_backfill_are_asked_for(services: FakeServices, batonpass: CommandLine) -> None:
    batonpass("schedule", "fires", "report", "--backfill", "b1")
    assert services.request("ListFires").backfill_id == "b1"


def test_moved_shows_the_first_instant_that_differs(services: FakeServices, batonpass: CommandLine) -> None:
    same, old, new = (making.at(datetime(2026, 3, day, 9, tzinfo=UTC)) for day in (1, 2, 3))
    moved = schedule_service_pb2.MovedSchedule(
        schedule_id="report",
        time_zone="Europe/Berlin",
        release="2026b",
        move_time=making.at(making.NOON),
        old_times=[same, old],
        new_times=[same, new],
    )
    services.answer("ListMovedSchedules", schedule_service_pb2.ListMovedSchedulesResponse(schedules=[moved]))
    shown = batonpass("schedule", "moved").stdout
    assert "2026-03-02" in shown
    assert "2026-03-03" in shown
    (record,) = batonpass.json("schedule", "moved")["schedules"]
    assert record["old"] == ["2026-03-01T09:00:00Z", "2026-03-02T09:00:00Z"]
