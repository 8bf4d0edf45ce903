"""WatchActivity and AwaitTasks."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
from batonpass.queue.v1 import intake_service_pb2, pull_service_pb2, task_pb2
from batonpass.queue.v1 import queue_service_pb2 as pb

from tests.support.queue_server import (
    METADATA,
    TIMEOUT,
    QueueServer,
    due_task,
    queue_server,
    template,
    timestamp,
)

ENQUEUED, OFFERED, RETRYING, ENDED, REPRIORITIZED = (
    pb.ACTIVITY_KIND_ENQUEUED,
    pb.ACTIVITY_KIND_OFFERED,
    pb.ACTIVITY_KIND_RETRYING,
    pb.ACTIVITY_KIND_ENDED,
    pb.ACTIVITY_KIND_REPRIORITIZED,
)


class Watch:
    """Reads a stream of activities; has begun when it is made with `begin`."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self._kept: list[pb.Activity] = []

    @classmethod
    async def begin(cls, server: QueueServer, **request: Any) -> "Watch":
        call = server.producer.WatchActivity(pb.WatchActivityRequest(**request), timeout=60)
        first = await asyncio.wait_for(call.read(), TIMEOUT)
        assert not first.activities
        return cls(call)

    async def next(self, number: int) -> list[pb.Activity]:
        while len(self._kept) < number:
            self._kept += (await asyncio.wait_for(self._call.read(), TIMEOUT)).activities
        found, self._kept = self._kept[:number], self._kept[number:]
        return found

    async def ends(self) -> bool:
        return await asyncio.wait_for(self._call.read(), TIMEOUT) is grpc.aio.EOF


async def lease(queue: QueueServer, task_id: str) -> int:
    answer = await queue.pull.LeaseTask(
        pull_service_pb2.LeaseTaskRequest(task_id=task_id, executor="me"), timeout=TIMEOUT
    )
    return int(answer.lease_token)


async def complete(queue: QueueServer, task_id: str, token: int, exit_code: int = 0) -> None:
    await queue.pull.CompleteTask(
        pull_service_pb2.CompleteTaskRequest(
            task_id=task_id, lease_token=token, report=task_pb2.AttemptReport(exit_code=exit_code)
        ),
        timeout=TIMEOUT,
        metadata=METADATA,
    )


async def cancel(queue: QueueServer, task_id: str) -> None:
    await queue.producer.CancelTask(pb.CancelTaskRequest(task_id=task_id), timeout=TIMEOUT)


async def test_a_watcher_sees_what_happens_in_order(queue: QueueServer) -> None:
    await queue.enqueue("before")
    watch = await Watch.begin(queue)
    await queue.enqueue("t", priority=7)
    await queue.producer.ReprioritizeTask(
        pb.ReprioritizeTaskRequest(task_id="t", priority=8), timeout=TIMEOUT, metadata=METADATA
    )
    await complete(queue, "t", await lease(queue, "t"), 4)
    seen = await watch.next(4)
    assert [activity.kind for activity in seen] == [ENQUEUED, REPRIORITIZED, OFFERED, RETRYING]
    assert {activity.task_id for activity in seen} == {"t"}
    assert [activity.state for activity in seen] == [
        task_pb2.TASK_STATE_WAITING,
        task_pb2.TASK_STATE_WAITING,
        task_pb2.TASK_STATE_RUNNING,
        task_pb2.TASK_STATE_SCHEDULED,
    ]
    assert (seen[1].actor, seen[1].detail) == ("tester", "priority 7 -> 8")
    assert (seen[2].executor, seen[2].attempt, seen[2].priority) == ("me", 1, 8)
    assert seen[3].detail == "exit code 4"


async def test_an_ended_task_keeps_its_name(queue: QueueServer) -> None:
    watch = await Watch.begin(queue)
    await queue.due(due_task("f1", "nightly"))
    await cancel(queue, "f1")
    seen = await watch.next(2)
    assert [(each.kind, each.task_id, each.schedule_id) for each in seen] == [
        (ENQUEUED, "f1", "nightly"),
        (ENDED, "f1", "nightly"),
    ]
    assert seen[1].state == task_pb2.TASK_STATE_CANCELLED


async def test_watchers_see_their_own_queue_and_namespace(queue: QueueServer) -> None:
    all_of_it, one_queue = await Watch.begin(queue), await Watch.begin(queue, queue="q")
    await queue.enqueue("a", namespace="elsewhere")
    await queue.enqueue("b")
    await queue.enqueue("c", queue="q")
    assert [each.task_id for each in await all_of_it.next(2)] == ["b", "c"]
    assert [each.task_id for each in await one_queue.next(1)] == ["c"]


async def test_what_other_replicas_do_is_seen_too(queue: QueueServer, queue_database_url: str) -> None:
    watch = await Watch.begin(queue)
    async with queue_server(queue_database_url) as other:
        await other.enqueue("t")
        assert [each.task_id for each in await watch.next(1)] == ["t"]


async def test_a_large_batch_is_told_in_messages_that_fit(queue: QueueServer) -> None:
    watch = await Watch.begin(queue)
    name = "n" * 120
    for batch in range(3):
        await queue.producer.BatchEnqueueTasks(
            pb.BatchEnqueueTasksRequest(
                requests=[
                    pb.EnqueueTaskRequest(task_id=f"{name}{batch}.{number}", template=template())
                    for number in range(1000)
                ]
            ),
            timeout=TIMEOUT,
        )
    seen = await watch.next(3000)
    assert len({activity.task_id for activity in seen}) == 3000


async def test_watches_begin_and_end_independently(queue: QueueServer) -> None:
    for number in range(3):
        watch = await Watch.begin(queue)
        await queue.enqueue(f"t{number}")
        assert [each.task_id for each in await watch.next(1)] == [f"t{number}"]
        watch._call.cancel()


async def test_streams_end_when_the_service_stops(queue_database_url: str) -> None:
    async with queue_server(queue_database_url) as server:
        watch = await Watch.begin(server)
        feed = server.intake.WatchOutcomes(intake_service_pb2.WatchOutcomesRequest(), timeout=60)
        await feed.read()
        await server.queue.drain()
        assert await watch.ends()
        assert await asyncio.wait_for(feed.read(), TIMEOUT) is grpc.aio.EOF


class Wait:
    """Reads AwaitTasks."""

    def __init__(self, server: QueueServer, **request: Any) -> None:
        self.call = server.producer.AwaitTasks(pb.AwaitTasksRequest(**request), timeout=30)

    async def next(self) -> pb.AwaitTasksResponse | None:
        answer = await asyncio.wait_for(self.call.read(), TIMEOUT)
        return None if answer is grpc.aio.EOF else answer


async def test_awaiting_nothing_is_over_at_once(queue: QueueServer) -> None:
    await queue.enqueue("for-pull-clients")
    await queue.enqueue("later", handler="name:x", run_time=timestamp(datetime.now(UTC) + timedelta(hours=1)))
    wait = Wait(queue)
    first = await wait.next()
    assert first is not None
    assert (first.remaining, first.HasField("task")) == (0, False)
    assert await wait.next() is None


async def test_awaiting_tells_each_end_and_closes_with_the_last(queue: QueueServer) -> None:
    for name in ("a", "b", "c"):
        await queue.enqueue(name, handler="name:x")
    await cancel(queue, "c")
    wait = Wait(queue)
    first = await wait.next()
    assert first is not None
    assert first.remaining == 2
    await queue.enqueue("late", handler="name:x")
    for name, left in (("b", 1), ("a", 0)):
        await complete(queue, name, await lease(queue, name))
        answer = await wait.next()
        assert answer is not None
        assert (answer.remaining, answer.task.task_id, answer.task.state) == (
            left,
            name,
            task_pb2.TASK_STATE_SUCCEEDED,
        )
        (last,) = answer.task.attempts
        assert (last.result, last.HasField("report")) == (task_pb2.ATTEMPT_RESULT_SUCCEEDED, True)
    assert await wait.next() is None


async def test_a_retry_wait_is_awaited_and_told_when_it_ended_for_good(queue: QueueServer) -> None:
    await queue.enqueue("t", handler="name:x", retry_policy="aggressive")
    await complete(queue, "t", await lease(queue, "t"), 1)
    wait = Wait(queue)
    first = await wait.next()
    assert first is not None
    assert first.remaining == 1
    await cancel(queue, "t")
    answer = await wait.next()
    assert answer is not None
    assert answer.task.state == task_pb2.TASK_STATE_CANCELLED


async def test_awaiting_looks_at_its_own_queue_and_namespace(queue: QueueServer) -> None:
    await queue.enqueue("a", handler="name:x", queue="q")
    await queue.enqueue("b", handler="name:x", namespace="elsewhere")
    first = await Wait(queue, queue="other").next()
    assert first is not None
    assert first.remaining == 0
    first = await Wait(queue).next()
    assert first is not None
    assert first.remaining == 1
