"""Lists, pages and status."""

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import grpc
import pytest
from batonpass.queue.v1 import pull_service_pb2, task_pb2
from batonpass.queue.v1 import queue_service_pb2 as pb

from tests.support.queue_server import TIMEOUT, QueueServer, due_task, fields, reason, template, timestamp

LIVE = ("scheduled", "waiting", "running")
ENDED = ("succeeded", "dead", "cancelled")


async def page(server: QueueServer, **request: Any) -> pb.ListTasksResponse:
    answer: pb.ListTasksResponse = await server.producer.ListTasks(
        pb.ListTasksRequest(**request), timeout=TIMEOUT
    )
    return answer


def names(answer: pb.ListTasksResponse) -> list[str]:
    return [task.task_id for task in answer.tasks]


async def run(queue: QueueServer, task_id: str, exit_code: int, **measured: Any) -> None:
    lease = await queue.pull.LeaseTask(
        pull_service_pb2.LeaseTaskRequest(task_id=task_id, executor="me"), timeout=TIMEOUT
    )
    await queue.pull.CompleteTask(
        pull_service_pb2.CompleteTaskRequest(
            task_id=task_id,
            lease_token=lease.lease_token,
            report=task_pb2.AttemptReport(exit_code=exit_code, **measured),
        ),
        timeout=TIMEOUT,
    )


async def one_of_each(queue: QueueServer) -> None:
    """A task in each state that is reached without an agent, named after it."""
    await queue.enqueue("scheduled", run_time=timestamp(datetime.now(UTC) + timedelta(hours=1)))
    await queue.enqueue("waiting")
    for name in ("running", "succeeded", "dead", "cancelled"):
        await queue.enqueue(name, retry_policy="none")
    await queue.pull.LeaseTask(
        pull_service_pb2.LeaseTaskRequest(task_id="running", executor="me"), timeout=TIMEOUT
    )
    await run(queue, "succeeded", 0)
    await run(queue, "dead", 1)
    await queue.producer.CancelTask(pb.CancelTaskRequest(task_id="cancelled"), timeout=TIMEOUT)


async def test_lists_are_newest_first_whatever_the_state(queue: QueueServer) -> None:
    await one_of_each(queue)
    assert names(await page(queue)) == [
        "cancelled",
        "dead",
        "succeeded",
        "running",
        "waiting",
        "scheduled",
    ]


@pytest.mark.parametrize("state", [*LIVE, *ENDED])
async def test_a_state_filters(queue: QueueServer, state: str) -> None:
    await one_of_each(queue)
    wanted = task_pb2.TaskState.Value(f"TASK_STATE_{state.upper()}")
    answer = await page(queue, state=wanted)
    assert names(answer) == [state]
    assert answer.tasks[0].state == wanted


async def test_other_filters_hold_together(queue: QueueServer) -> None:
    await queue.enqueue("a", queue="q1")
    await queue.enqueue("b", queue="q2")
    await queue.due(due_task("f1", "s1", queue="q1"), due_task("f2", "s2", queue="q1"))
    assert names(await page(queue, queue="q1")) == ["f2", "f1", "a"]
    assert names(await page(queue, schedule_id="s1")) == ["f1"]
    assert names(await page(queue, schedule_id="s1", queue="q2")) == []
    assert (await page(queue, schedule_id="s1")).tasks[0].schedule_id == "s1"


async def test_pages_show_each_task_once(queue: QueueServer) -> None:
    for number in range(7):
        await queue.enqueue(f"t{number}")
    for number in (1, 4):
        await run(queue, f"t{number}", 0)
    seen, token = [], ""
    while True:
        answer = await page(queue, page_size=2, page_token=token)
        seen += names(answer)
        token = answer.next_page_token
        if not token:
            break
        assert len(answer.tasks) == 2
    assert seen == [f"t{number}" for number in reversed(range(7))]


async def test_a_page_that_ends_exactly_is_the_last(queue: QueueServer) -> None:
    for number in range(4):
        await queue.enqueue(f"t{number}")
    assert not (await page(queue, page_size=4)).next_page_token


async def test_tasks_that_come_between_pages_do_not_disturb_them(queue: QueueServer) -> None:
    for number in range(4):
        await queue.enqueue(f"t{number}")
    first = await page(queue, page_size=2)
    await queue.enqueue("late")
    assert names(await page(queue, page_size=2, page_token=first.next_page_token)) == ["t1", "t0"]


async def test_a_token_is_good_for_its_own_listing_only(queue: QueueServer) -> None:
    for number in range(3):
        await queue.enqueue(f"t{number}")
    token = (await page(queue, page_size=1)).next_page_token
    for request in (
        {"page_token": token, "queue": "q"},
        {"page_token": token, "state": task_pb2.TASK_STATE_DEAD},
        {"page_token": "nonsense"},
        {"page_token": token[:-4]},
        {"page_token": "é"},
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await page(queue, **request)
        assert reason(refused.value) == ("INVALID_ARGUMENT", "INVALID_ARGUMENT")
        assert fields(refused.value) == ["page_token"]


async def test_lists_leave_out_payloads_and_all_attempts_but_the_last_ended(queue: QueueServer) -> None:
    await queue.enqueue("t", payload=b"input", retry_policy="none")
    await run(queue, "t", 1, cpu_percent=12.5, output_tail="said")
    (task,) = (await page(queue)).tasks
    assert not task.template.payload
    assert (task.error, task.executor, task.attempt) == ("exit code 1", "me", 1)
    (whole,) = (await queue.get("t")).attempts
    assert whole.report.output_tail == "said"
    (last,) = task.attempts
    assert (last.report.exit_code, last.report.cpu_percent) == (1, 12.5)
    assert last.report.HasField("duration")
    whole.report.ClearField("output_tail")
    assert last == whole


async def end_retry_waits(url: str) -> None:
    owner = await asyncpg.connect(url)
    await owner.execute("UPDATE queue.tasks SET run_at = order_at")
    await owner.close()


async def test_a_list_shows_the_last_attempt_of_a_task_that_waits_or_runs_again(
    queue: QueueServer, queue_database_url: str
) -> None:
    for name in ("waits", "runs"):
        await queue.enqueue(name)
        await run(queue, name, 3)
    await queue.enqueue("new")
    await end_retry_waits(queue_database_url)
    await run(queue, "waits", 4)
    await queue.pull.LeaseTask(
        pull_service_pb2.LeaseTaskRequest(task_id="runs", executor="me"), timeout=TIMEOUT
    )
    found = {task.task_id: task for task in (await page(queue)).tasks}
    shown = {
        name: [(each.attempt, each.report.exit_code) for each in task.attempts]
        for name, task in found.items()
    }
    assert shown == {"new": [], "runs": [(1, 3)], "waits": [(2, 4)]}
    assert [found[name].attempt for name in ("new", "runs", "waits")] == [1, 2, 3]
    assert len((await queue.get("runs")).attempts) == 2


async def test_a_page_never_outgrows_a_message(queue: QueueServer) -> None:
    requests = [
        pb.EnqueueTaskRequest(task_id=f"t{number}", template=template(handler="x" * 4096, name="é" * 200))
        for number in range(200)
    ]
    for _ in range(6):
        await queue.producer.BatchEnqueueTasks(
            pb.BatchEnqueueTasksRequest(requests=requests), timeout=TIMEOUT
        )
        for request in requests:
            request.task_id += "x"
    seen, token = 0, ""
    while True:
        answer = await page(queue, page_size=1000, page_token=token)
        assert answer.ByteSize() < 4 * 1024 * 1024
        seen += len(answer.tasks)
        token = answer.next_page_token
        if not token:
            break
    assert seen == 1200


async def test_status_counts_every_state_and_shows_use(queue: QueueServer) -> None:
    await one_of_each(queue)
    await queue.enqueue("elsewhere", queue="other")
    status = await queue.producer.GetQueueStatus(pb.GetQueueStatusRequest(), timeout=TIMEOUT)
    counts = status.counts
    assert (counts.scheduled, counts.waiting, counts.offered, counts.running) == (1, 2, 0, 1)
    assert (counts.succeeded, counts.dead, counts.cancelled, counts.expired) == (1, 1, 1, 0)
    assert [(executor.name, executor.use.tasks) for executor in status.executors] == [("me", 1)]
    assert status.ageing_threshold.seconds == 1800
    assert status.HasField("oldest_wait")
    assert status.starving == 0
    one = await queue.producer.GetQueueStatus(pb.GetQueueStatusRequest(queue="other"), timeout=TIMEOUT)
    assert (one.counts.waiting, one.counts.succeeded) == (1, 0)


async def test_an_empty_namespace_has_an_empty_status(queue: QueueServer) -> None:
    status = await queue.producer.GetQueueStatus(
        pb.GetQueueStatusRequest(), timeout=TIMEOUT, metadata=(("batonpass-namespace", "empty"),)
    )
    assert status.counts == pb.TaskCounts()
    assert not status.HasField("oldest_wait")


async def test_executors_come_in_pages_by_name(queue: QueueServer) -> None:
    for name in ("c", "a", "b"):
        await queue.enqueue(name)
        await queue.pull.LeaseTask(pull_service_pb2.LeaseTaskRequest(executor=name), timeout=TIMEOUT)
    seen, token = [], ""
    while True:
        answer = await queue.producer.ListExecutors(
            pb.ListExecutorsRequest(page_size=2, page_token=token), timeout=TIMEOUT
        )
        seen += [executor.name for executor in answer.executors]
        token = answer.next_page_token
        if not token:
            break
    assert seen == ["a", "b", "c"]
