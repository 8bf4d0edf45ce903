"""Cancel and reprioritise, against every state a task can be in."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from batonpass.queue.v1 import pull_service_pb2, task_pb2
from batonpass.queue.v1 import queue_service_pb2 as pb

from service_kit.postgres import Database
from tests.support.queue_rows import broken_rules, fetch, value
from tests.support.queue_server import METADATA, TIMEOUT, QueueServer, reason, timestamp

State = task_pb2.TaskState.ValueType


async def cancel(queue: QueueServer, task_id: str, why: str = "") -> task_pb2.Task:
    answer = await queue.producer.CancelTask(
        pb.CancelTaskRequest(task_id=task_id, reason=why), timeout=TIMEOUT, metadata=METADATA
    )
    found: task_pb2.Task = answer.task
    return found


async def reprioritize(queue: QueueServer, task_id: str, priority: int) -> task_pb2.Task:
    answer = await queue.producer.ReprioritizeTask(
        pb.ReprioritizeTaskRequest(task_id=task_id, priority=priority), timeout=TIMEOUT, metadata=METADATA
    )
    found: task_pb2.Task = answer.task
    return found


async def lease(queue: QueueServer) -> int:
    answer = await queue.pull.LeaseTask(
        pull_service_pb2.LeaseTaskRequest(task_id="t", executor="me"), timeout=TIMEOUT
    )
    return int(answer.lease_token)


async def complete(queue: QueueServer, token: int, exit_code: int) -> None:
    await queue.pull.CompleteTask(
        pull_service_pb2.CompleteTaskRequest(
            task_id="t", lease_token=token, report=task_pb2.AttemptReport(exit_code=exit_code)
        ),
        timeout=TIMEOUT,
    )


async def waiting(queue: QueueServer, _: Database) -> None:
    await queue.enqueue("t", handler="name:x")


async def scheduled(queue: QueueServer, _: Database) -> None:
    await queue.enqueue("t", run_time=timestamp(datetime.now(UTC) + timedelta(hours=1)))


async def pulled(queue: QueueServer, _: Database) -> None:
    await queue.enqueue("t")
    await lease(queue)


async def _held_by_agent(queue: QueueServer, database: Database, state: int) -> None:
    """As an agent's session on another replica would hold it."""
    await queue.enqueue("t", handler="name:x", cpu=10)
    await fetch(
        database,
        """
        WITH e AS (
            INSERT INTO queue.executors (namespace, name, pull, seen_at, used_tasks, used_cpu)
            VALUES ('default', 'agent', false, now(), 1, 1000) RETURNING id
        ), s AS (
            INSERT INTO queue.sessions (executor, instance_id, replica, started_at, beat_at, expires_at)
            SELECT id, 'instance', 'other', now(), now(), now() + interval '1 hour' FROM e
            RETURNING id, executor
        )
        INSERT INTO queue.leases (
            task, token, executor, session, attempt, cpu, memory, state, offered_at, answer_by, started_at
        )
        SELECT t.id, nextval('queue.lease_token'), s.executor, s.id, 1, 1000, 0, $1::smallint, now(),
               now() + interval '1 hour', CASE WHEN $1::smallint = 2 THEN now() END
        FROM s, queue.tasks AS t
        """,
        state,
    )


async def offered(queue: QueueServer, database: Database) -> None:
    await _held_by_agent(queue, database, 1)


async def running(queue: QueueServer, database: Database) -> None:
    await _held_by_agent(queue, database, 2)


async def retrying(queue: QueueServer, _: Database) -> None:
    await queue.enqueue("t")
    await complete(queue, await lease(queue), 3)


async def succeeded(queue: QueueServer, _: Database) -> None:
    await queue.enqueue("t")
    await complete(queue, await lease(queue), 0)


async def dead(queue: QueueServer, _: Database) -> None:
    await queue.enqueue("t", retry_policy="none")
    await complete(queue, await lease(queue), 3)


async def cancelled(queue: QueueServer, _: Database) -> None:
    await queue.enqueue("t")
    await cancel(queue, "t")


Reach = Callable[[QueueServer, Database], Awaitable[None]]


@pytest.mark.parametrize("reach", [waiting, scheduled, pulled, retrying, cancelled])
async def test_cancel_ends_at_once_what_no_agent_holds(
    queue: QueueServer, queue_database: Database, reach: Reach
) -> None:
    await reach(queue, queue_database)
    assert (await cancel(queue, "t", "changed my mind")).state == task_pb2.TASK_STATE_CANCELLED
    assert (await cancel(queue, "t")).state == task_pb2.TASK_STATE_CANCELLED
    assert (await queue.get("t")).HasField("end_time")
    assert await value(queue_database, "SELECT count(*) FROM queue.tasks") == 0
    assert await value(queue_database, "SELECT count(*) FROM queue.history") == 1
    assert not await broken_rules(queue_database)


async def test_a_task_that_never_started_ends_with_the_attempt_it_waited_for(queue: QueueServer) -> None:
    waits = (await queue.enqueue("t", handler="name:x")).task
    ended = await cancel(queue, "t")
    listed = await queue.producer.ListTasks(pb.ListTasksRequest(), timeout=TIMEOUT)
    shown = [waits, ended, await queue.get("t"), *listed.tasks]
    assert [task.attempt for task in shown] == [1] * 4
    assert not any(task.attempts for task in shown)


@pytest.mark.parametrize(
    ("reach", "state"), [(offered, task_pb2.TASK_STATE_OFFERED), (running, task_pb2.TASK_STATE_RUNNING)]
)
async def test_cancel_asks_the_agent_that_holds_it(
    queue: QueueServer, queue_database: Database, reach: Reach, state: State
) -> None:
    await reach(queue, queue_database)
    for _ in range(2):
        assert (await cancel(queue, "t")).state == state
    (asked,) = await fetch(queue_database, "SELECT cancel_at, cancel_actor FROM queue.leases")
    assert asked["cancel_at"] is not None
    assert asked["cancel_actor"] == "tester"
    assert await value(queue_database, "SELECT count(*) FROM queue.transitions WHERE kind = 8") == 1


@pytest.mark.parametrize("reach", [succeeded, dead])
async def test_cancel_refuses_what_ended_otherwise(
    queue: QueueServer, queue_database: Database, reach: Reach
) -> None:
    await reach(queue, queue_database)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await cancel(queue, "t")
    assert reason(refused.value) == ("FAILED_PRECONDITION", "TASK_ENDED")


async def test_a_cancelled_pull_lease_is_stale(queue: QueueServer) -> None:
    await queue.enqueue("t")
    token = await lease(queue)
    await cancel(queue, "t")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await complete(queue, token + 1, 0)
    assert reason(refused.value) == ("FAILED_PRECONDITION", "STALE_LEASE")


async def test_cancel_records_who_and_why(queue: QueueServer, queue_database: Database) -> None:
    await waiting(queue, queue_database)
    await cancel(queue, "t", "not needed")
    (row,) = await fetch(queue_database, "SELECT actor, detail, state FROM queue.transitions WHERE kind = 6")
    assert (row["actor"], row["detail"], row["state"]) == (
        "tester",
        "not needed",
        task_pb2.TASK_STATE_CANCELLED,
    )


async def test_cancel_drops_the_payload(queue: QueueServer, queue_database: Database) -> None:
    await queue.enqueue("t", payload=b"secret")
    await cancel(queue, "t")
    assert await value(queue_database, "SELECT count(*) FROM queue.payloads") == 0


@pytest.mark.parametrize("reach", [waiting, scheduled, retrying])
async def test_a_task_that_nobody_holds_can_move(
    queue: QueueServer, queue_database: Database, reach: Reach
) -> None:
    await reach(queue, queue_database)
    before = await queue.get("t")
    moved = await reprioritize(queue, "t", 9)
    assert (moved.template.priority, moved.band) == (9, task_pb2.PRIORITY_BAND_CRITICAL)
    assert (moved.state, moved.enqueue_time) == (before.state, before.enqueue_time)
    (row,) = await fetch(
        queue_database, "SELECT level, order_at <= run_at AS keeps, version FROM queue.tasks"
    )
    assert (row["level"], row["keeps"]) == (9, True)
    await reprioritize(queue, "t", 9)
    assert await value(queue_database, "SELECT version FROM queue.tasks") == row["version"]


@pytest.mark.parametrize("reach", [offered, running, pulled, succeeded, dead, cancelled])
async def test_a_task_that_is_held_or_has_ended_stays(
    queue: QueueServer, queue_database: Database, reach: Reach
) -> None:
    await reach(queue, queue_database)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await reprioritize(queue, "t", 9)
    assert reason(refused.value) == ("FAILED_PRECONDITION", "TASK_NOT_WAITING")
    assert (await queue.get("t")).template.priority == 5


async def test_what_does_not_exist_is_not_found(queue: QueueServer) -> None:
    for call in (cancel(queue, "t"), reprioritize(queue, "t", 3), queue.get("t")):
        with pytest.raises(grpc.aio.AioRpcError) as missing:
            await call
        assert reason(missing.value) == ("NOT_FOUND", "TASK_NOT_FOUND")


async def test_tasks_of_another_namespace_are_out_of_reach(queue: QueueServer) -> None:
    await queue.enqueue("t", namespace="elsewhere")
    with pytest.raises(grpc.aio.AioRpcError) as missing:
        await cancel(queue, "t")
    assert reason(missing.value)[0] == "NOT_FOUND"


async def test_a_task_ends_once_when_lease_and_cancel_race(
    queue: QueueServer, queue_database: Database
) -> None:
    """Whoever comes first, the task is cancelled, once, and no lease is left."""
    for _ in range(10):
        name = (await queue.enqueue("")).task.task_id
        request = pull_service_pb2.LeaseTaskRequest(task_id=name, executor="me")
        await asyncio.gather(
            queue.pull.LeaseTask(request, timeout=TIMEOUT), cancel(queue, name), return_exceptions=True
        )
        assert (await cancel(queue, name)).state == task_pb2.TASK_STATE_CANCELLED
    assert await value(queue_database, "SELECT count(*) FROM queue.history") == 10
    assert await value(queue_database, "SELECT count(*) FROM queue.leases") == 0
    assert not await broken_rules(queue_database)
