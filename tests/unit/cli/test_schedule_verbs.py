"""`batonpass schedule`: what each verb asks and shows."""

from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from batonpass.queue.v1 import task_pb2
from batonpass.scheduler.v1 import schedule_pb2, schedule_service_pb2

from tests.support.fake_services import FakeServices, Refusal
from tests.unit.cli import making
from tests.unit.cli.conftest import CommandLine

CREATED = schedule_service_pb2.CreateScheduleResponse(schedule=making.schedule())
NOT_FOUND = Refusal(grpc.StatusCode.NOT_FOUND, "schedule nope does not exist", reason="SCHEDULE_NOT_FOUND")
TAKEN = Refusal(grpc.StatusCode.ALREADY_EXISTS, "schedule backup-daily exists", reason="SCHEDULE_EXISTS")


FIRST, AND = schedule_pb2.SECONDS_FIELD_FIRST, schedule_pb2.DAY_MATCH_AND
PREVIEWED = schedule_service_pb2.PreviewScheduleResponse(
    fires=[
        schedule_service_pb2.PreviewedFire(
            time=making.at(making.NOON),
            local_time="2026-03-01T14:00:00",
            utc_offset="+02:00",
            due_time=making.at(making.NOON + timedelta(seconds=5)),
            disposition=schedule_pb2.DISPOSITION_FIRED,
        )
    ],
    description=["At 14:00, every day."],
)


def cron(expression: str, **fields: Any) -> schedule_pb2.ScheduleSpec:
    return schedule_pb2.ScheduleSpec(cron=schedule_pb2.CronSpec(expression=expression, **fields))


def every(distance: timedelta) -> schedule_pb2.ScheduleSpec:
    return schedule_pb2.ScheduleSpec(interval=schedule_pb2.IntervalSpec(every=making.length(distance)))


def one_shot(*day: int) -> schedule_pb2.ScheduleSpec:
    time = making.at(datetime(*day, tzinfo=UTC))
    return schedule_pb2.ScheduleSpec(one_shot=schedule_pb2.OneShotSpec(time=time))


def rule(text: str, start: str) -> schedule_pb2.ScheduleSpec:
    return schedule_pb2.ScheduleSpec(recurrence=schedule_pb2.RecurrenceSpec(rule=text, start=start))


def created(services: FakeServices, batonpass: CommandLine, *words: str) -> schedule_pb2.Schedule:
    """The schedule that `schedule create s --handler h WORDS` asks for."""
    services.answer("CreateSchedule", CREATED)
    batonpass("schedule", "create", "s", "--handler", "h", *words)
    schedule: schedule_pb2.Schedule = services.request("CreateSchedule").schedule
    return schedule


def test_create_sends_all_that_was_said(services: FakeServices, batonpass: CommandLine) -> None:
    services.answer("CreateSchedule", CREATED)
    record = batonpass.json(
        *("schedule", "create", "backup-daily", "--name", "Daily Backup", "--handler", "./backup.sh"),
        *(
            "--cron",
            "0 2 * * *",
            "--time-zone",
            "Europe/Berlin",
            "--priority",
            "8",
            "--cpu",
            "10%",
            "--memory",
            "15",
        ),
        *("--retry-policy", "aggressive", "--circuit-breaker", "default", "--timeout", "10m"),
        *("--overlap", "allow-all", "--catch-up", "ALL", "--catchup-window", "2h", "--payload", '{"n": 1}'),
        *("--queue", "nightly", "--disabled", "--request-id", "r1"),
    )
    assert services.request("CreateSchedule") == schedule_service_pb2.CreateScheduleRequest(
        schedule=schedule_pb2.Schedule(
            schedule_id="backup-daily",
            specs=[schedule_pb2.ScheduleSpec(cron=schedule_pb2.CronSpec(expression="0 2 * * *"))],
            time_zone="Europe/Berlin",
            template=task_pb2.TaskTemplate(
                name="Daily Backup",
                handler="./backup.sh",
                priority=8,
                resources=task_pb2.Resources(cpu_percent=10, memory_percent=15),
                retry_policy="aggressive",
                circuit_breaker="default",
                timeout=making.length(timedelta(minutes=10)),
                payload=b'{"n": 1}',
                queue="nightly",
            ),
            overlap_policy=task_pb2.OVERLAP_POLICY_ALLOW_ALL,
            catch_up_policy=schedule_pb2.CATCH_UP_POLICY_ALL,
            catchup_window=making.length(timedelta(hours=2)),
            disabled=True,
        ),
        request_id="r1",
    )
    assert (record["task_id"], record["schedule_expr"]) == ("backup-daily", "0 2 * * *")


def test_create_leaves_defaults_to_the_service(services: FakeServices, batonpass: CommandLine) -> None:
    schedule = created(services, batonpass, "--event", "webhook.received")
    assert schedule == schedule_pb2.Schedule(
        schedule_id="s",
        specs=[schedule_pb2.ScheduleSpec(event=schedule_pb2.EventSpec(type="webhook.received"))],
        template=task_pb2.TaskTemplate(handler="h", name="s"),
    )


def test_create_knows_intervals_and_instants(services: FakeServices, batonpass: CommandLine) -> None:
    every = created(services, batonpass, "--every", "1h30m", "--phase", "5m").specs[0]
    assert every.interval.every.ToTimedelta() == timedelta(minutes=90)
    assert every.interval.phase.ToTimedelta() == timedelta(minutes=5)
    services.calls.clear()
    once = created(services, batonpass, "--at", "2027-01-01T00:00:00+01:00").specs[0]
    assert once.one_shot.time.ToJsonString() == "2026-12-31T23:00:00Z"


def test_create_with_seconds_says_where_they_stand(services: FakeServices, batonpass: CommandLine) -> None:
    spec = created(services, batonpass, "--cron", "*/10 * * * * *", "--seconds", "first").specs[0]
    assert spec.cron.seconds == schedule_pb2.SECONDS_FIELD_FIRST


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "--cron, --every, --at, --calendar-every, --rrule or --event"),
        (("--cron", "* * * * * *"), "--seconds first or --seconds last"),
        (("--cron", "@daily", "--event", "paid"), "--event excludes"),
        (("--every", "5s", "--days", "and"), "--days belongs to --cron"),
        (("--calendar-every", "1 month"), "needs --starting"),
        (("--every", "5s", "--starting", "2026-01-01T00:00:00"), "--starting belongs to --calendar-every"),
        (("--calendar-every", "1 fortnight", "--starting", "2026-01-01T00:00:00"), "no step of a calendar"),
        (("--rrule", "FREQ=DAILY", "--starting", "2026-01-01T00:00:00Z"), "leave it out"),
        (("--exclude-cron", "@daily"), "Say when"),
        (("--cron", "@daily", "--param", "a=b"), "--param belongs to --template"),
        (("--template", "nightly"), "--template says everything"),
        (("--template", "nightly@new"), "ID@VERSION"),
        (("--every", "5s", "--seconds", "first"), "--seconds belongs to --cron"),
        (("--cron", "@daily", "--phase", "5s"), "--phase belongs to --every"),
        (("--every", "5"), "number and a unit"),
        (("--at", "2027-01-01T00:00:00"), "no offset"),
        (("--cron", "@daily", "--overlap", "sometimes"), "skip, buffer-one, buffer-all, cancel-other"),
        (("--cron", "@daily", "--payload", "{"), "malformed JSON"),
        (("--cron", "@daily", "--payload", "@/nowhere/file"), "cannot read /nowhere/file"),
        (("--cron", "@daily", "--priority", "high"), "whole number"),
        (("--cron", "@daily", "--colour", "red"), "No such option"),
    ],
)
def test_create_refuses_a_wrong_command_line(
    services: FakeServices, batonpass: CommandLine, words: tuple[str, ...], said: str
) -> None:
    result = batonpass("schedule", "create", "s", "--handler", "h", *words, expect=2)
    assert said in result.stderr
    assert "schedule create --help" in result.stderr
    assert services.calls == []


def test_create_says_everything_about_when(services: FakeServices, batonpass: CommandLine) -> None:
    made = created(
        services,
        batonpass,
        *("--cron", "0 9 * * *", "--cron", "0 30 17 * * fri", "--seconds", "first", "--days", "and"),
        *("--every", "7h", "--at", "2026-05-01T00:00:00Z", "--calendar-every", "2 weeks"),
        *("--rrule", "FREQ=DAILY", "--starting", "2026-01-31T09:00", "--exclude-cron", "0 12 * * *"),
        *("--exclude-every", "1d", "--exclude-at", "2026-05-02T00:00:00Z", "--exclude-rrule", "FREQ=YEARLY"),
        *("--start", "2026-02-01T00:00:00Z", "--end", "2027-02-01T00:00:00Z", "--gap", "shift"),
        *("--fold", "both", "--include-calendar", "a", "--include-calendar", "b", "--exclude-calendar", "c"),
        *("--on-closed", "next-business-day", "--jitter", "5s", "--spread", "1m"),
    )
    reading = "2026-01-31T09:00:00"
    assert made == schedule_pb2.Schedule(
        schedule_id="s",
        specs=[
            cron("0 9 * * *", day_match=AND),
            cron(
                "0 30 17 * * fri",
                seconds=schedule_pb2.SECONDS_FIELD_FIRST,
                day_match=AND,
            ),
            every(timedelta(hours=7)),
            one_shot(2026, 5, 1),
            schedule_pb2.ScheduleSpec(
                calendar_interval=schedule_pb2.CalendarIntervalSpec(
                    every=2, unit=schedule_pb2.CALENDAR_UNIT_WEEK, start=reading
                )
            ),
            rule("FREQ=DAILY", reading),
        ],
        exclusions=[
            cron("0 12 * * *", day_match=AND),
            every(timedelta(days=1)),
            one_shot(2026, 5, 2),
            rule("FREQ=YEARLY", reading),
        ],
        start_time=making.at(datetime(2026, 2, 1, tzinfo=UTC)),
        end_time=making.at(datetime(2027, 2, 1, tzinfo=UTC)),
        gap_policy=schedule_pb2.GAP_POLICY_SHIFT,
        fold_policy=schedule_pb2.FOLD_POLICY_BOTH,
        include_calendars=["a", "b"],
        exclude_calendars=["c"],
        calendar_disposition=schedule_pb2.CALENDAR_DISPOSITION_NEXT_BUSINESS_DAY,
        jitter=making.length(timedelta(seconds=5)),
        spread=making.length(timedelta(minutes=1)),
        template=task_pb2.TaskTemplate(handler="h", name="s"),
    )


def test_create_knows_policies_and_labels(services: FakeServices, batonpass: CommandLine) -> None:
    made = created(
        services,
        batonpass,
        *("--cron", "@daily", "--overlap", "terminate-other", "--catch-up", "earliest", "--max-runs", "3"),
        *("--pause-on-failure", "2", "--label", "app=shop", "--label", "tier="),
    )
    assert made.overlap_policy == task_pb2.OVERLAP_POLICY_TERMINATE_OTHER
    assert made.catch_up_policy == schedule_pb2.CATCH_UP_POLICY_EARLIEST
    assert (made.max_runs, made.pause_on_failure) == (3, 2)
    assert dict(made.labels) == {"app": "shop", "tier": ""}


def test_create_may_take_a_schedule_template(services: FakeServices, batonpass: CommandLine) -> None:
    services.answer("CreateSchedule", CREATED)
    batonpass(
        *("schedule", "create", "s", "--template", "nightly@2", "--param", "table=orders"),
        *("--label", "app=shop", "--disabled"),
    )
    assert services.request("CreateSchedule").schedule == schedule_pb2.Schedule(
        schedule_id="s",
        source=schedule_pb2.TemplateSource(template_id="nightly", version=2, parameters={"table": "orders"}),
        labels={"app": "shop"},
        disabled=True,
    )


def test_create_needs_a_handler(batonpass: CommandLine) -> None:
    assert "--handler" in batonpass("schedule", "create", "s", "--cron", "@daily", expect=2).stderr


def test_create_may_accept_a_schedule_that_is_there(services: FakeServices, batonpass: CommandLine) -> None:
    services.answer("CreateSchedule", TAKEN)
    services.answer("GetSchedule", schedule_service_pb2.GetScheduleResponse(schedule=making.schedule()))
    words = ("schedule", "create", "backup-daily", "--handler", "h", "--cron", "@daily")
    assert batonpass.error(*words)["code"] == "ALREADY_EXISTS"
    result = batonpass(*words, "--if-not-exists")
    assert "exists already; nothing was changed" in result.stderr
    assert "Daily Backup" in result.stdout


def test_update_names_only_what_was_given(services: FakeServices, batonpass: CommandLine) -> None:
    services.answer("UpdateSchedule", schedule_service_pb2.UpdateScheduleResponse(schedule=making.schedule()))
    batonpass(
        *("schedule", "update", "backup-daily", "--cron", "30 3 * * *", "--cpu", "20", "--priority", "9"),
        *("--overlap", "skip", "--generation", "4"),
    )
    request = services.request("UpdateSchedule")
    assert set(request.update_mask.paths) == {
        "specs",
        "template.resources.cpu_percent",
        "template.priority",
        "overlap_policy",
    }
    assert request.generation == 4
    assert request.schedule == schedule_pb2.Schedule(
        schedule_id="backup-daily",
        specs=[schedule_pb2.ScheduleSpec(cron=schedule_pb2.CronSpec(expression="30 3 * * *"))],
        template=task_pb2.TaskTemplate(priority=9, resources=task_pb2.Resources(cpu_percent=20)),
        overlap_policy=task_pb2.OVERLAP_POLICY_SKIP,
    )


def test_update_can_take_a_value_away(services: FakeServices, batonpass: CommandLine) -> None:
    batonpass("schedule", "update", "s", "--name", "")
    assert services.request("UpdateSchedule").update_mask.paths == ["template.name"]


def test_update_can_take_lists_and_bounds_away(services: FakeServices, batonpass: CommandLine) -> None:
    batonpass(*("schedule", "update", "s", "--clear", "exclusions", "--clear", "end", "--clear", "template"))
    request = services.request("UpdateSchedule")
    assert list(request.update_mask.paths) == ["exclusions", "end_time", "source"]
    assert request.schedule == schedule_pb2.Schedule(schedule_id="s")


def test_what_an_update_takes_away_by_word_is_the_default_again(
    services: FakeServices, batonpass: CommandLine
) -> None:
    words = ("gap", "fold", "jitter", "spread", "max-runs", "pause-on-failure")
    batonpass("schedule", "update", "s", *(part for word in words for part in ("--clear", word)))
    request = services.request("UpdateSchedule")
    assert list(request.update_mask.paths) == [
        *("gap_policy", "fold_policy", "jitter", "spread", "max_runs", "pause_on_failure")
    ]
    assert request.schedule == schedule_pb2.Schedule(schedule_id="s")


def test_update_may_move_to_another_version(services: FakeServices, batonpass: CommandLine) -> None:
    batonpass("schedule", "update", "s", "--template", "nightly", "--param", "table=users")
    request = services.request("UpdateSchedule")
    assert list(request.update_mask.paths) == ["source"]
    assert dict(request.schedule.source.parameters) == {"table": "users"}
    assert (
        "everything but labels"
        in batonpass("schedule", "update", "s", "--template", "nightly", "--priority", "3", expect=2).stderr
    )


def test_update_of_nothing_is_wrong_usage(services: FakeServices, batonpass: CommandLine) -> None:
    assert "Nothing to change" in batonpass("schedule", "update", "s", expect=2).stderr


def test_list_follows_the_pages(services: FakeServices, batonpass: CommandLine) -> None:
    services.answer(
        "ListSchedules",
        schedule_service_pb2.ListSchedulesResponse(schedules=[making.schedule("a")], next_page_token="t"),
        schedule_service_pb2.ListSchedulesResponse(schedules=[making.schedule("b")]),
    )
    listed = batonpass.json("schedule", "list")
    assert [one["task_id"] for one in listed["schedules"]] == ["a", "b"]
    assert [request.page_token for request in services.requests("ListSchedules")] == ["", "t"]


def test_list_can_be_of_some_labels(services: FakeServices, batonpass: CommandLine) -> None:
    batonpass("schedule", "list", "--label", "app=shop", "-l", "tier=1")
    assert dict(services.request("ListSchedules").labels) == {"app": "shop", "tier": "1"}


def test_list_stops_at_the_limit_and_says_so(services: FakeServices, batonpass: CommandLine) -> None:
    page = schedule_service_pb2.ListSchedulesResponse(schedules=[making.schedule("a")], next_page_token="t")
    services.answer("ListSchedules", page)
    result = batonpass("schedule", "list", "--limit", "1")
    assert services.request("ListSchedules").page_size == 1
    assert "first 1; --limit 0 shows all" in result.stderr


def test_list_asks_for_less_when_a_page_is_too_large(services: FakeServices, batonpass: CommandLine) -> None:
    large = making.schedule("large", template=making.template(payload=b" " * 5_000_000))
    services.answer(
        "ListSchedules",
        schedule_service_pb2.ListSchedulesResponse(schedules=[large]),
        schedule_service_pb2.ListSchedulesResponse(schedules=[making.schedule("a")]),
    )
    assert len(batonpass.json("schedule", "list")["schedules"]) == 1
    assert [request.page_size for request in services.requests("ListSchedules")] == [500, 250]


def test_list_as_a_table_shows_what_matters(services: FakeServices, batonpass: CommandLine) -> None:
    services.answer(
        "ListSchedules",
        schedule_service_pb2.ListSchedulesResponse(schedules=[making.schedule(time_zone="Europe/Berlin")]),
    )
    heading, line = batonpass("schedule", "list").stdout.splitlines()
    assert heading.split()[:4] == ["ID", "NAME", "WHEN", "PRIORITY"]
    assert "cron 0 2 * * * Europe/Berlin" in line
    assert "8 important" in line
    assert "2026-03-02 02:00  2026-03-01 02:00" in line


def test_an_empty_list_says_what_to_do(batonpass: CommandLine) -> None:
    assert "schedule create makes one" in batonpass("schedule", "list").stdout
    assert batonpass.json("schedule", "list") == {"schedules": []}


def test_get_shows_one(services: FakeServices, batonpass: CommandLine) -> None:
    services.answer("GetSchedule", schedule_service_pb2.GetScheduleResponse(schedule=making.schedule()))
    assert batonpass.json("schedule", "get", "backup-daily")["average_duration_ms"] == 1250
    assert "retry_policy" in batonpass("schedule", "get", "backup-daily").stdout


def test_delete_of_what_is_not_there_fails_unless_allowed(
    services: FakeServices, batonpass: CommandLine
) -> None:
    assert batonpass.json("schedule", "delete", "s") == {"schedule_id": "s", "deleted": True}
    services.answer("DeleteSchedule", NOT_FOUND)
    error = batonpass.error("schedule", "delete", "nope")
    assert (error["code"], error["hint"]) == ("NOT_FOUND", "batonpass schedule list shows what there is.")
    assert batonpass.json("schedule", "delete", "nope", "--if-exists")["deleted"] is False


def test_enable_and_disable_carry_the_note(services: FakeServices, batonpass: CommandLine) -> None:
    services.answer("EnableSchedule", schedule_service_pb2.EnableScheduleResponse(schedule=making.schedule()))
    services.answer(
        "DisableSchedule",
        schedule_service_pb2.DisableScheduleResponse(schedule=making.schedule(disabled=True)),
    )
    assert (
        "comes due next at 2026-03-02T02:00:00Z"
        in batonpass("schedule", "enable", "s", "--note", "back").stdout
    )
    assert batonpass.json("schedule", "disable", "s", "--note", "broken")["enabled"] is False
    assert services.request("EnableSchedule").note == "back"
    assert services.request("DisableSchedule").note == "broken"


def test_queue_runs_it_now(services: FakeServices, batonpass: CommandLine) -> None:
    fire = schedule_pb2.Fire(fire_id="s.1", schedule_id="s", kind=schedule_pb2.FIRE_KIND_MANUAL)
    services.answer("RunSchedule", schedule_service_pb2.RunScheduleResponse(fire=fire))
    assert "s.1" in batonpass("schedule", "queue", "s").stdout
    assert services.request("RunSchedule").overlap_policy == task_pb2.OVERLAP_POLICY_UNSPECIFIED
    assert (
        batonpass.json("schedule", "queue", "s", "--overlap", "skip", "--request-id", "r")["kind"] == "MANUAL"
    )
    request = services.requests("RunSchedule")[-1]
    assert (request.overlap_policy, request.request_id) == (task_pb2.OVERLAP_POLICY_SKIP, "r")


def test_preview_is_of_a_schedule_or_of_a_specification(
    services: FakeServices, batonpass: CommandLine
) -> None:
    services.answer("PreviewSchedule", PREVIEWED)
    assert batonpass.json("schedule", "preview", "s") == {
        "description": ["At 14:00, every day."],
        "fires": [
            {
                "time": "2026-03-01T12:00:00Z",
                "local": "2026-03-01T14:00:00",
                "offset": "+02:00",
                "due": "2026-03-01T12:00:05Z",
                "disposition": "FIRED",
                "detail": None,
                "held_until": None,
            }
        ],
    }
    batonpass(
        *("schedule", "preview", "--cron", "0 2 * * *", "--time-zone", "Europe/Berlin"),
        *("--count", "3", "--from", "2027-03-27T00:00:00Z"),
    )
    stored, free = services.requests("PreviewSchedule")
    assert (stored.schedule_id, stored.count, stored.HasField("draft")) == ("s", 5, False)
    assert free.draft.specs[0].cron.expression == "0 2 * * *"
    assert (free.draft.time_zone, free.count) == ("Europe/Berlin", 3)
    assert free.from_time.ToJsonString() == "2027-03-27T00:00:00Z"


def test_explain_says_what_an_expression_means(services: FakeServices, batonpass: CommandLine) -> None:
    services.answer("PreviewSchedule", PREVIEWED)
    words = (
        "schedule",
        "explain",
        "H 14 * * *",
        "--id",
        "s",
        "--time-zone",
        "Europe/Berlin",
        "--days",
        "and",
    )
    shown = batonpass(*words).stdout
    assert shown.startswith("At 14:00, every day.\n\nTIME")
    assert "2026-03-01T12:00:05Z" in shown, "when it fires, with jitter"
    draft = services.request("PreviewSchedule").draft
    assert (draft.schedule_id, draft.time_zone) == ("s", "Europe/Berlin")
    assert draft.specs[0].cron == schedule_pb2.CronSpec(expression="H 14 * * *", day_match=AND)
    assert batonpass.json("schedule", "explain", "--every", "5m")["description"] == ["At 14:00, every day."]
    assert "what to explain" in batonpass("schedule", "explain", expect=2).stderr


def test_explain_says_when_nothing_is_to_come(services: FakeServices, batonpass: CommandLine) -> None:
    services.answer(
        "PreviewSchedule",
        *[schedule_service_pb2.PreviewScheduleResponse(description=["Once."])] * 2,
    )
    past = batonpass("schedule", "explain", "--at", "2020-01-01T00:00:00Z").stdout
    assert past == "Once.\n\nIt does not come due by time any more.\n"
    assert batonpass("schedule", "explain", "--event", "order.*").stdout == "Once.\n"


@pytest.mark.parametrize(
    "words", [(), ("s", "--cron", "@daily"), ("s", "--time-zone", "UTC"), ("--gap", "skip")]
)
def test_preview_needs_exactly_one_of_both(batonpass: CommandLine, words: tuple[str, ...]) -> None:
    said = batonpass("schedule", "preview", *words, expect=2).stderr
    assert "either the ID" in said or "leave out the options" in said


def test_fires_can_be_filtered(services: FakeServices, batonpass: CommandLine) -> None:
    fire = schedule_pb2.Fire(
        schedule_id="s",
        disposition=schedule_pb2.DISPOSITION_PAUSED,
        nominal_time=making.at(making.NOON),
        last_nominal_time=making.at(making.NOON + timedelta(hours=1)),
        count=60,
    )
    services.answer("ListFires", schedule_service_pb2.ListFiresResponse(fires=[fire]))
    assert batonpass.json("schedule", "fires", "s", "--disposition", "paused")["fires"][0]["count"] == 60
    assert services.request("ListFires").disposition == schedule_pb2.DISPOSITION_PAUSED
    assert "2026-03-01T12:00:00Z .. 2026-03-01T13:00:00Z" in batonpass("schedule", "fires", "s").stdout


def test_stats_are_of_all_or_of_one(services: FakeServices, batonpass: CommandLine) -> None:
    services.answer(
        "GetScheduleStats",
        schedule_service_pb2.GetScheduleStatsResponse(
            schedules=1, enabled=1, stats=schedule_pb2.ScheduleStats(execution_count=5), pending_fires=2
        ),
    )
    one = batonpass.json("schedule", "stats", "s")
    assert (one["task_id"], one["execution_count"], one["pending_fires"]) == ("s", 5, 2)
    assert one["average_duration_ms"] is one["next_execution"] is None
    assert "task_id" not in batonpass.json("schedule", "stats")
    assert [request.schedule_id for request in services.requests("GetScheduleStats")] == ["s", ""]


@pytest.mark.parametrize(
    ("age", "said"),
    [
        (timedelta(minutes=5), "within the catch-up window of 1h: it fires at once."),
        (timedelta(days=5), "beyond the catch-up window of 1h: it does not fire and ends MISSED_WINDOW."),
        (timedelta(days=-5), ""),
    ],
)
def test_create_says_what_happens_to_an_instant_that_has_passed(
    services: FakeServices, batonpass: CommandLine, age: timedelta, said: str
) -> None:
    spec = schedule_pb2.ScheduleSpec()
    spec.one_shot.time.FromDatetime(datetime.now(UTC) - age)
    made = making.schedule(specs=[spec])
    services.answer("CreateSchedule", schedule_service_pb2.CreateScheduleResponse(schedule=made))
    words = ("schedule", "create", "s", "--handler", "h", "--at", "now", "--if-not-exists")
    assert batonpass(*words).stderr.strip().endswith(said)
    services.answer("CreateSchedule", TAKEN)
    services.answer("GetSchedule", schedule_service_pb2.GetScheduleResponse(schedule=made))
    assert "in the past" not in batonpass(*words).stderr


def test_preview_of_nothing_is_wrong_usage(services: FakeServices, batonpass: CommandLine) -> None:
    assert "--count" in batonpass("schedule", "preview", "s", "--count", "0", expect=2).stderr
    assert services.calls == []


def test_preview_of_a_schedule_that_listens_says_so(services: FakeServices, batonpass: CommandLine) -> None:
    listens = schedule_pb2.ScheduleSpec(event=schedule_pb2.EventSpec(type="paid"))
    shown = schedule_service_pb2.GetScheduleResponse(schedule=making.schedule(specs=[listens]))
    services.answer(
        "GetSchedule", shown, schedule_service_pb2.GetScheduleResponse(schedule=making.schedule())
    )
    said = "It fires on events, not by time.\n"
    assert batonpass("schedule", "preview", "s").stdout == said
    assert "any more" in batonpass("schedule", "preview", "s").stdout
    assert batonpass("schedule", "preview", "--event", "paid").stdout == said
    assert batonpass.json("schedule", "preview", "--event", "paid") == {"description": [], "fires": []}
