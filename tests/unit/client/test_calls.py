"""The blocking client against grpcio-testing's fake channel: what it sends, repeats, reads and raises."""

import json
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from batonpass import (
    AlreadyExists,
    BatonpassError,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    StaleLease,
    Unavailable,
    calendar_every,
    cron,
    every,
    new_schedule,
    new_task,
    on_event,
    recurrence,
    template_source,
)
from batonpass.queue.v1 import pull_service_pb2 as pull_pb
from batonpass.queue.v1 import queue_service_pb2 as queue_pb
from batonpass.queue.v1.task_pb2 import OVERLAP_POLICY_ALLOW_ALL, TASK_STATE_WAITING, Task, TaskTemplate
from batonpass.scheduler.v1 import event_service_pb2 as event_pb
from batonpass.scheduler.v1 import schedule_pb2
from batonpass.scheduler.v1 import schedule_service_pb2 as schedule_pb
from batonpass.scheduler.v1 import template_service_pb2 as template_pb
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2

from tests.unit.client.conftest import info

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
WAIT = 10


def test_enqueue_sends_the_whole_template_and_a_deadline(play):
    run_at = datetime(2026, 3, 1, 2, tzinfo=UTC)
    call = play.start(
        lambda client: client.enqueue(
            "name:resize",
            task_id="t1",
            run_at=run_at,
            payload={"image": 7},
            priority=9,
            cpu_percent=12.5,
            timeout=timedelta(minutes=10),
            queue="images",
        )
    )
    request = play.answer("QueueService.EnqueueTask", queue_pb.EnqueueTaskResponse(task=Task(task_id="t1")))
    assert call.result(WAIT) == Task(task_id="t1")
    assert request.task_id == "t1"
    assert request.run_time.ToDatetime(UTC) == run_at
    assert json.loads(request.template.payload) == {"image": 7}
    assert (request.template.handler, request.template.priority, request.template.queue) == (
        "name:resize",
        9,
        "images",
    )
    assert request.template.resources.cpu_percent == 12.5
    assert request.template.timeout.ToTimedelta() == timedelta(minutes=10)
    assert play.queue.timeouts == [10.0]


def test_every_call_says_who_calls(play):
    call = play.start(lambda client: client.get_task("t1"))
    metadata, _, handle = play.take("QueueService.GetTask")
    handle.send_initial_metadata(())
    handle.terminate(queue_pb.GetTaskResponse(task=Task(task_id="t1")), (), grpc.StatusCode.OK, "")
    assert call.result(WAIT).task_id == "t1"
    assert ("batonpass-namespace", "team") in metadata
    assert ("batonpass-actor", "ann") in metadata


def test_a_repeat_carries_the_same_task_id(play):
    """The id is made once per call, so that a task whose answer got lost is not enqueued twice."""
    call = play.start(lambda client: client.enqueue("true"))
    first = play.refuse("QueueService.EnqueueTask", UNAVAILABLE, "away")
    second = play.answer("QueueService.EnqueueTask", queue_pb.EnqueueTaskResponse())
    call.result(WAIT)
    assert first.task_id == second.task_id != ""


def test_repeats_end_within_the_deadline(play):
    """Backoff runs on the fake clock: five tries, each with what is left of the ten seconds."""
    call = play.start(lambda client: client.get_task("t1"))
    for _ in range(5):
        play.refuse("QueueService.GetTask", UNAVAILABLE, "away")
    with pytest.raises(Unavailable, match="away"):
        call.result(WAIT)
    assert play.time.time() < 1_010
    assert play.queue.timeouts == sorted(play.queue.timeouts, reverse=True)
    assert len(play.queue.timeouts) == 5


def test_a_repeat_waits_as_long_as_the_service_asks(play):
    retry = error_details_pb2.RetryInfo(retry_delay=Duration(seconds=4))
    call = play.start(lambda client: client.get_task("t1"))
    play.refuse("QueueService.GetTask", UNAVAILABLE, "away", retry)
    play.answer("QueueService.GetTask", queue_pb.GetTaskResponse())
    call.result(WAIT)
    assert play.time.time() >= 1_004


def test_a_delay_beyond_the_deadline_is_not_waited_for(play):
    retry = error_details_pb2.RetryInfo(retry_delay=Duration(seconds=60))
    call = play.start(lambda client: client.get_task("t1"))
    play.refuse("QueueService.GetTask", UNAVAILABLE, "away", retry)
    with pytest.raises(Unavailable) as caught:
        call.result(WAIT)
    assert caught.value.retry_after == timedelta(minutes=1)
    assert play.time.time() == 1_000


@pytest.mark.parametrize(
    ("make", "rpc"),
    [
        (lambda client: client.delete_schedule("s"), "ScheduleService.DeleteSchedule"),
        (lambda client: client.prevent_starvation(boost=True), "QueueService.PreventStarvation"),
        (
            lambda client: client.update_schedule("s", generation=3, priority=1),
            "ScheduleService.UpdateSchedule",
        ),
    ],
)
def test_a_call_whose_repeat_means_something_else_is_made_once(play, make, rpc):
    call = play.start(make)
    play.refuse(rpc, UNAVAILABLE, "away")
    with pytest.raises(Unavailable):
        call.result(WAIT)


def test_only_unavailable_is_repeated(play):
    call = play.start(lambda client: client.get_task("t1"))
    play.refuse("QueueService.GetTask", grpc.StatusCode.NOT_FOUND, "no task t1", info("NOT_FOUND"))
    with pytest.raises(NotFound, match="no task t1"):
        call.result(WAIT)


def test_errors_carry_code_reason_metadata_and_violations(play):
    bad = error_details_pb2.BadRequest(
        field_violations=[
            error_details_pb2.BadRequest.FieldViolation(field="template.priority", description="1 to 10")
        ]
    )
    call = play.start(lambda client: client.enqueue("true", priority=11))
    play.refuse(
        "QueueService.EnqueueTask",
        grpc.StatusCode.INVALID_ARGUMENT,
        "invalid request",
        info("INVALID_ARGUMENT", task_id="t1"),
        bad,
    )
    with pytest.raises(InvalidArgument) as caught:
        call.result(WAIT)
    error = caught.value
    assert (error.code, error.reason, error.metadata) == (
        "INVALID_ARGUMENT",
        "INVALID_ARGUMENT",
        {"task_id": "t1"},
    )
    assert error.violations == (("template.priority", "1 to 10"),)
    assert str(error) == "invalid request (template.priority: 1 to 10)"


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (grpc.StatusCode.ALREADY_EXISTS, "ALREADY_EXISTS", AlreadyExists),
        (grpc.StatusCode.FAILED_PRECONDITION, "TASK_ENDED", FailedPrecondition),
        (grpc.StatusCode.FAILED_PRECONDITION, "STALE_LEASE", StaleLease),
        (grpc.StatusCode.INTERNAL, "INTERNAL", BatonpassError),
    ],
)
def test_each_status_has_its_error(play, code, reason, kind):
    call = play.start(lambda client: client.cancel("t1"))
    play.refuse("QueueService.CancelTask", code, "no", info(reason))
    with pytest.raises(kind) as caught:
        call.result(WAIT)
    assert type(caught.value) is kind
    assert caught.value.reason == reason


def test_an_error_with_broken_details_keeps_its_status(play):
    call = play.start(lambda client: client.get_task("t1"))
    _, _, handle = play.take("QueueService.GetTask")
    handle.send_initial_metadata(())
    trailers = (("grpc-status-details-bin", b"\xff\xff"),)
    handle.terminate(None, trailers, grpc.StatusCode.NOT_FOUND, "gone")
    with pytest.raises(NotFound, match="gone"):
        call.result(WAIT)


def test_lists_fetch_the_next_page_when_it_is_needed(play):
    call = play.start(lambda client: [task.task_id for task in client.list_tasks(state="waiting")])
    first = play.answer(
        "QueueService.ListTasks",
        queue_pb.ListTasksResponse(tasks=[Task(task_id="a"), Task(task_id="b")], next_page_token="more"),
    )
    second = play.answer("QueueService.ListTasks", queue_pb.ListTasksResponse(tasks=[Task(task_id="c")]))
    assert call.result(WAIT) == ["a", "b", "c"]
    assert (first.state, first.page_token) == (TASK_STATE_WAITING, "")
    assert (second.state, second.page_token) == (TASK_STATE_WAITING, "more")


def test_many_tasks_go_in_as_few_calls_as_they_fit(play):
    tasks = [new_task("true", task_id=f"t{n}") for n in range(1_500)]
    call = play.start(lambda client: client.enqueue_many(tasks))
    for size in (1_000, 500):
        request = play.answer(
            "QueueService.BatchEnqueueTasks",
            queue_pb.BatchEnqueueTasksResponse(verdicts=[queue_pb.EnqueueVerdict(created=True)] * size),
        )
        assert len(request.requests) == size
    assert len(call.result(WAIT)) == 1_500


def test_large_payloads_stay_below_the_largest_message(play):
    tasks = [new_task("true", payload=b"x" * 256 * 1024) for _ in range(5)]
    call = play.start(lambda client: client.enqueue_many(tasks))
    seen = 0
    while seen < 5:
        request = play.answer("QueueService.BatchEnqueueTasks", queue_pb.BatchEnqueueTasksResponse())
        assert request.ByteSize() < 1024 * 1024
        seen += len(request.requests)
    call.result(WAIT)


def test_many_schedules_are_created_in_as_few_calls_as_they_fit_and_each_has_a_request_id(play):
    made = [new_schedule(f"s{n}", cron("@daily"), "true", labels={"app": "shop"}) for n in range(700)]
    call = play.start(lambda client: client.batch_create_schedules(made))
    seen = []
    for size in (500, 200):
        verdicts = [schedule_pb.CreateVerdict(code=6, reason="SCHEDULE_EXISTS")] * size
        answer = schedule_pb.BatchCreateSchedulesResponse(verdicts=verdicts)
        seen += play.answer("ScheduleService.BatchCreateSchedules", answer).requests
    assert [each.schedule for each in seen] == made
    assert len({each.request_id for each in seen} - {""}) == 700
    assert [verdict.code for verdict in call.result(WAIT)] == [6] * 700


def test_a_schedule_is_created_from_plain_values(play):
    call = play.start(
        lambda client: client.create_schedule(
            "nightly",
            cron("0 2 * * *"),
            "tar c /data",
            time_zone="Europe/Berlin",
            overlap="allow-all",
            catch_up="ALL",
            priority=7,
            name="Nightly backup",
        )
    )
    request = play.answer(
        "ScheduleService.CreateSchedule",
        schedule_pb.CreateScheduleResponse(schedule=schedule_pb2.Schedule(schedule_id="nightly")),
    )
    assert call.result(WAIT).schedule_id == "nightly"
    schedule = request.schedule
    assert schedule.specs[0].cron.expression == "0 2 * * *"
    assert schedule.overlap_policy == OVERLAP_POLICY_ALLOW_ALL
    assert schedule.catch_up_policy == schedule_pb2.CATCH_UP_POLICY_ALL
    assert (schedule.template.handler, schedule.template.name) == ("tar c /data", "Nightly backup")
    assert request.request_id


def test_an_update_names_exactly_what_it_changes(play):
    call = play.start(
        lambda client: client.update_schedule(
            "s", spec=every(timedelta(seconds=5)), priority=3, cpu_percent=10.0, overlap="skip"
        )
    )
    request = play.answer("ScheduleService.UpdateSchedule", schedule_pb.UpdateScheduleResponse())
    call.result(WAIT)
    assert list(request.update_mask.paths) == [
        "overlap_policy",
        "specs",
        "template.priority",
        "template.resources.cpu_percent",
    ]


def test_events_carry_json_and_an_id_of_their_own(play):
    call = play.start(lambda client: client.publish_event("webhook.received", data={"ref": "main"}))
    request = play.answer("EventService.PublishEvent", event_pb.PublishEventResponse(created=True))
    assert call.result(WAIT).created
    assert json.loads(request.event.data) == {"ref": "main"}
    assert request.event.id


def test_a_preview_is_of_a_stored_schedule_or_of_a_spec(play):
    for what, field in (("nightly", "schedule_id"), (on_event("x"), "draft")):
        call = play.start(lambda client, what=what: client.preview_schedule(what, count=3))
        request = play.answer("ScheduleService.PreviewSchedule", schedule_pb.PreviewScheduleResponse())
        call.result(WAIT)
        assert request.ListFields()[0][0].name == field


def test_everything_that_says_when_can_be_given(play):
    monthly = calendar_every(1, "months", starting=datetime(2026, 1, 31, 9))
    fridays = recurrence("FREQ=MONTHLY;BYDAY=-1FR", starting="2026-01-01T17:00:00")
    call = play.start(
        lambda client: client.create_schedule(
            "s",
            [cron("0 0 13 * FRI", days="and"), monthly, fridays],
            "true",
            exclude=every(timedelta(days=7)),
            start=datetime(2026, 1, 1, tzinfo=UTC),
            gap="shift",
            fold="both",
            exclude_calendars=["holidays"],
            on_closed="next-business-day",
            jitter=timedelta(seconds=30),
            max_runs=5,
            pause_on_failure=3,
            labels={"app": "shop"},
            overlap="cancel-other",
            catch_up="none",
        )
    )
    request = play.answer("ScheduleService.CreateSchedule", schedule_pb.CreateScheduleResponse())
    call.result(WAIT)
    sent = request.schedule
    assert sent.specs[0].cron.day_match == schedule_pb2.DAY_MATCH_AND
    assert sent.specs[1].calendar_interval == schedule_pb2.CalendarIntervalSpec(
        every=1, unit=schedule_pb2.CALENDAR_UNIT_MONTH, start="2026-01-31T09:00:00"
    )
    assert sent.specs[2].recurrence.start == "2026-01-01T17:00:00"
    assert sent.exclusions[0].interval.every == Duration(seconds=604_800)
    assert (sent.gap_policy, sent.fold_policy) == (
        schedule_pb2.GAP_POLICY_SHIFT,
        schedule_pb2.FOLD_POLICY_BOTH,
    )
    assert sent.calendar_disposition == schedule_pb2.CALENDAR_DISPOSITION_NEXT_BUSINESS_DAY
    assert (sent.max_runs, sent.pause_on_failure, dict(sent.labels)) == (5, 3, {"app": "shop"})
    assert sent.catch_up_policy == schedule_pb2.CATCH_UP_POLICY_NONE
    assert sent.jitter == Duration(seconds=30)


def test_a_schedule_can_be_made_of_a_schedule_template(play):
    made_of = template_source("nightly", parameters={"table": "orders"})
    call = play.start(
        lambda client: client.create_schedule("s", source=made_of, labels={"app": "shop"}, disabled=True)
    )
    request = play.answer("ScheduleService.CreateSchedule", schedule_pb.CreateScheduleResponse())
    call.result(WAIT)
    assert request.schedule == schedule_pb2.Schedule(
        schedule_id="s", source=made_of, labels={"app": "shop"}, disabled=True
    )


def test_detaching_from_a_schedule_template_clears_the_source(play):
    call = play.start(lambda client: client.update_schedule("s", source=None))
    request = play.answer("ScheduleService.UpdateSchedule", schedule_pb.UpdateScheduleResponse())
    call.result(WAIT)
    assert list(request.update_mask.paths) == ["source"]
    assert not request.schedule.HasField("source")


def test_an_upgrade_of_schedules_says_from_where_to_where(play):
    call = play.start(
        lambda client: client.upgrade_schedules(
            "nightly", to_version=3, from_version=1, parameters={"hour": "4"}, dry_run=True
        )
    )
    request = play.answer("TemplateService.UpgradeSchedules", template_pb.UpgradeSchedulesResponse(changed=2))
    assert call.result(WAIT).changed == 2
    assert request == template_pb.UpgradeSchedulesRequest(
        template_id="nightly", to_version=3, from_version=1, parameters={"hour": "4"}, dry_run=True
    )


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda client: client.enqueue("true", payload={1, 2}), "payload"),
        (lambda client: client.enqueue("true", payload=float("nan")), "payload"),
        (lambda client: client.enqueue("true", run_at=datetime(2026, 1, 1)), "run_at"),
        (lambda client: client.list_tasks(state="wating"), "state"),
        (lambda client: client.run_schedule("s", overlap="never"), "overlap"),
        (lambda client: client.update_schedule("s"), "changes"),
        (lambda client: client.create_schedule("s", source=template_source("t"), priority=3), "source"),
        (lambda client: calendar_every(1, "fortnight", starting="2026-01-01T00:00:00"), "unit"),
        (lambda client: recurrence("FREQ=DAILY", starting=datetime(2026, 1, 1, tzinfo=UTC)), "starting"),
    ],
)
def test_wrong_values_are_refused_before_anything_is_sent(play, make, field):
    with pytest.raises(InvalidArgument) as caught:
        make(play.client)
    assert caught.value.violations[0].field == field
    assert play.queue.timeouts == []


def granted(task_id="t1", token=5):
    template = TaskTemplate(queue="default", payload=b"in")
    return pull_pb.LeaseTaskResponse(task=Task(task_id=task_id, template=template), lease_token=token)


def test_the_end_of_a_lease_block_completes_the_task(play):
    def work(client):
        with client.lease(executor="me", handlers=["resize"]) as lease:
            return lease.payload

    call = play.start(work)
    lease = play.answer("PullService.LeaseTask", granted())
    done = play.answer("PullService.CompleteTask", pull_pb.CompleteTaskResponse())
    assert call.result(WAIT) == b"in"
    assert (lease.executor, list(lease.handlers)) == ("me", ["resize"])
    assert lease.request_id
    assert (done.task_id, done.lease_token, done.report.exit_code) == ("t1", 5, 0)


def test_an_exception_in_a_lease_block_is_a_failed_attempt(play):
    def work(client):
        with client.lease(executor="me"):
            raise ValueError("no pixels")

    call = play.start(work)
    play.answer("PullService.LeaseTask", granted())
    done = play.answer("PullService.CompleteTask", pull_pb.CompleteTaskResponse())
    with pytest.raises(ValueError, match="no pixels"):
        call.result(WAIT)
    assert (done.report.exit_code, done.report.error) == (1, "ValueError: no pixels")


def test_a_stale_lease_is_said_when_it_is_extended(play):
    def work(client):
        with client.lease(executor="me", lease_duration=timedelta(minutes=1)) as lease:
            lease.extend()

    call = play.start(work)
    play.answer("PullService.LeaseTask", granted())
    extend = play.refuse(
        "PullService.ExtendLease", grpc.StatusCode.FAILED_PRECONDITION, "taken", info("STALE_LEASE")
    )
    play.refuse("PullService.CompleteTask", grpc.StatusCode.FAILED_PRECONDITION, "taken", info("STALE_LEASE"))
    with pytest.raises(StaleLease):
        call.result(WAIT)
    assert extend.lease_duration.ToTimedelta() == timedelta(minutes=1)
