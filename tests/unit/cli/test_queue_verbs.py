"""`batonpass queue`, `executor`, `event`: what each verb asks and shows."""

from datetime import UTC, datetime, timedelta

import grpc
import pytest
from batonpass.queue.v1 import executor_pb2, hold_pb2, queue_service_pb2
from batonpass.scheduler.v1 import event_service_pb2, schedule_pb2

from tests.support.fake_services import FakeServices, Refusal
from tests.unit.cli import making
from tests.unit.cli.conftest import CommandLine

LIMITS = executor_pb2.Limits(max_tasks=4, max_cpu_percent=80, max_memory_percent=85)
HOST = executor_pb2.Executor(
    name="host-7",
    state=executor_pb2.EXECUTOR_STATE_ONLINE,
    limits=LIMITS,
    use=executor_pb2.Use(tasks=2, cpu_percent=12.5, memory_percent=30),
    load=executor_pb2.HostLoad(cpu_percent=40, memory_percent=50),
    handlers=["resize"],
    allows_shell=True,
    cpu_count=8,
    memory_bytes=16 * 1024**3,
)


def test_status_shows_counts_and_executors(services: FakeServices, batonpass: CommandLine) -> None:
    services.answer(
        "GetQueueStatus",
        queue_service_pb2.GetQueueStatusResponse(
            counts=queue_service_pb2.TaskCounts(waiting=3, succeeded=2),
            executors=[HOST],
            oldest_wait=making.length(timedelta(minutes=35, seconds=10)),
            ageing_threshold=making.length(timedelta(minutes=30)),
            starving=1,
            held=2,
        ),
    )
    record = batonpass.json("queue", "status", "--queue", "q")
    assert record["held"] == 2
    assert [record[name] for name in ("queued", "executing", "completed", "starving")] == [3, 0, 2, 1]
    assert record["oldest_wait_seconds"] == 2110
    assert services.request("GetQueueStatus").queue == "q"
    text = batonpass("queue", "status").stdout
    assert "35m10s" in text
    assert "2 / 4" in text
    assert "12.5 / 80" in text
    assert "resize, shell" in text


def test_limits_are_shown_when_nothing_is_to_change(services: FakeServices, batonpass: CommandLine) -> None:
    own = queue_service_pb2.ExecutorLimits(executor="host-7", limits=executor_pb2.Limits(max_tasks=8))
    services.answer("GetLimits", queue_service_pb2.GetLimitsResponse(defaults=LIMITS, executors=[own]))
    record = batonpass.json("queue", "limits", "--executor", "host-7")
    assert record["defaults"] == {"max_tasks": 4, "max_cpu_percent": 80, "max_memory_percent": 85}
    assert record["executors"] == [
        {"executor": "host-7", "max_tasks": 8, "max_cpu_percent": 0, "max_memory_percent": 0}
    ]
    assert services.request("GetLimits").executor == "host-7"
    assert "(default)" in batonpass("queue", "limits").stdout


def test_limits_change_only_what_is_given(services: FakeServices, batonpass: CommandLine) -> None:
    services.answer("UpdateLimits", queue_service_pb2.UpdateLimitsResponse(defaults=LIMITS))
    assert batonpass.json("queue", "limits", "--max-tasks", "0", "--max-cpu", "85")["executors"] == []
    request = services.request("UpdateLimits")
    assert (request.max_tasks, request.max_cpu_percent) == (0, 85)
    assert (request.HasField("max_tasks"), request.HasField("max_memory_percent")) == (True, False)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--max-tasks", "0"), "Nothing new starts where these defaults hold until --max-tasks is raised.\n"),
        (("--max-cpu", "0", "--executor", "x"), "Nothing new that declares CPU starts on x until"),
        (("--max-memory", "0"), "Nothing new that declares memory starts"),
        (("--max-tasks", "1"), ""),
    ],
)
def test_a_limit_of_nothing_is_pointed_out(batonpass: CommandLine, words: tuple[str, ...], said: str) -> None:
    assert batonpass("queue", "limits", *words).stderr.startswith(said)
    assert bool(batonpass("queue", "limits", *words).stderr) == bool(said)


def test_limits_of_an_unknown_executor(services: FakeServices, batonpass: CommandLine) -> None:
    services.answer(
        "UpdateLimits", Refusal(grpc.StatusCode.NOT_FOUND, "no executor x", reason="EXECUTOR_NOT_FOUND")
    )
    error = batonpass.error("queue", "limits", "--executor", "x", "--max-memory", "60%")
    assert error["hint"] == "batonpass executor list shows who is known."
    assert services.request("UpdateLimits").max_memory_percent == 60


def test_prevent_starvation_reports_and_boosts(services: FakeServices, batonpass: CommandLine) -> None:
    raised = queue_service_pb2.BoostedTask(
        task_id="patient",
        queue="default",
        priority=2,
        effective_priority=4,
        waited=making.length(timedelta(minutes=45)),
        boosted_now=True,
    )
    threshold = making.length(timedelta(minutes=30))
    services.answer(
        "PreventStarvation", queue_service_pb2.PreventStarvationResponse(tasks=[raised], threshold=threshold)
    )
    record = batonpass.json("queue", "prevent-starvation", "--threshold", "30m", "--boost")
    assert record["threshold"] == "30m"
    assert record["tasks"] == [
        {
            "task_id": "patient",
            "queue": "default",
            "priority": 2,
            "effective_priority": 4,
            "waited_seconds": 2700.0,
            "boosted_now": True,
        }
    ]
    request = services.request("PreventStarvation")
    assert (request.boost, request.threshold.seconds) == (True, 1800)
    assert "45m" in batonpass("queue", "prevent-starvation").stdout
    assert not services.requests("PreventStarvation")[-1].HasField("threshold")


def test_prevent_starvation_says_when_nobody_starves(services: FakeServices, batonpass: CommandLine) -> None:
    threshold = making.length(timedelta(minutes=30))
    services.answer("PreventStarvation", queue_service_pb2.PreventStarvationResponse(threshold=threshold))
    assert batonpass("queue", "prevent-starvation").stdout == "No task has waited longer than 30m.\n"


def test_executor_list(services: FakeServices, batonpass: CommandLine) -> None:
    services.answer("ListExecutors", queue_service_pb2.ListExecutorsResponse(executors=[HOST]))
    (record,) = batonpass.json("executor", "list")["executors"]
    assert (record["name"], record["state"], record["use"]["tasks"]) == ("host-7", "ONLINE", 2)
    assert "8 CPUs 16.0 GiB" in batonpass("executor", "list").stdout


def test_trigger_publishes_an_event(services: FakeServices, batonpass: CommandLine) -> None:
    stored = event_service_pb2.Event(id="order-17", source="shop", type="webhook.received", data=b'{"n": 1}')
    fires = [schedule_pb2.Fire(fire_id=f"{name}.1", schedule_id=name) for name in ("crm", "billing")]
    services.answer(
        "PublishEvent", event_service_pb2.PublishEventResponse(event=stored, created=True, fires=fires)
    )
    words = (
        *(
            "event",
            "trigger",
            "webhook.received",
            "--id",
            "order-17",
            "--data",
            '{"n": 1}',
            "--source",
            "shop",
        ),
        *("--subject", "orders", "--time", "2026-03-01T12:00:00Z"),
    )
    record = batonpass.json(*words)
    assert [fire["schedule_id"] for fire in record["fires"]] == ["crm", "billing"]
    assert (record["created"], record["event"]["data"]) == (True, {"n": 1})
    assert services.request("PublishEvent").event == event_service_pb2.Event(
        id="order-17",
        source="shop",
        type="webhook.received",
        subject="orders",
        time=making.at(making.NOON),
        data=b'{"n": 1}',
    )
    assert "triggered 2 schedules" in batonpass(*words).stdout


def test_trigger_says_when_nobody_listens(services: FakeServices, batonpass: CommandLine) -> None:
    stored = event_service_pb2.Event(id="1", type="disk.full")
    services.answer("PublishEvent", event_service_pb2.PublishEventResponse(event=stored, created=True))
    said = batonpass("event", "trigger", "disk.full").stdout
    assert said == "Event 1 is stored; it triggers no schedule. batonpass event explain --id 1 says why.\n"


def test_trigger_refuses_malformed_json(services: FakeServices, batonpass: CommandLine) -> None:
    assert "malformed JSON" in batonpass("event", "trigger", "x", "--data", "{n: 1}", expect=2).stderr
    assert services.calls == []


def test_trigger_reads_data_from_stdin(services: FakeServices, batonpass: CommandLine) -> None:
    batonpass("event", "trigger", "x", "--data", "@-", input='{"n": 2}')
    assert services.request("PublishEvent").event.data == b'{"n": 2}'


def test_holds_name_who_owns_them_and_what_they_select(
    services: FakeServices, batonpass: CommandLine
) -> None:
    services.answer(
        "ListHolds",
        queue_service_pb2.ListHoldsResponse(
            holds=[
                hold_pb2.Hold(
                    source="calendar/christmas",
                    from_time=making.at(datetime(2026, 12, 24, tzinfo=UTC)),
                    until_time=making.at(datetime(2026, 12, 27, tzinfo=UTC)),
                    handler="shell",
                    allow_priority=9,
                )
            ]
        ),
    )
    assert batonpass.json("queue", "holds")["holds"] == [
        {
            "source": "calendar/christmas",
            "from_at": "2026-12-24T00:00:00Z",
            "until_at": "2026-12-27T00:00:00Z",
            "queue": None,
            "handler": "shell",
            "allow_priority": 9,
            "reason": None,
        }
    ]
    text = batonpass("queue", "holds").stdout
    for word in ("calendar/christmas", "2026-12-27", "any", "shell", "9 to 10"):
        assert word in text


def test_nothing_held_is_said(services: FakeServices, batonpass: CommandLine) -> None:
    services.answer("ListHolds", queue_service_pb2.ListHoldsResponse())
    assert batonpass("queue", "holds").stdout.startswith("Nothing is held. ")
