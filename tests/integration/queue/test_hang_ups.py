"""Callers that leave in the middle: no connection, lock or task is lost with them."""

import asyncio

import asyncpg
import grpc
import pytest
from batonpass.queue.v1 import intake_service_pb2
from batonpass.queue.v1 import queue_service_pb2 as pb

from service_kit.postgres import Database
from tests.support.queue_rows import value
from tests.support.queue_server import TIMEOUT, QueueServer, due_task, template
from tests.support.waiting import until

CONNECTIONS = (
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND application_name LIKE 'batonpass-queue%'"
)
BUSY = CONNECTIONS + " AND state <> 'idle'"


async def test_cancelled_calls_leak_no_connection_and_leave_the_service_whole(
    queue: QueueServer, queue_database: Database, queue_database_url: str
) -> None:
    """The database holds every intake up while hundreds of callers come and go."""
    blocker = await asyncpg.connect(queue_database_url)
    transaction = blocker.transaction()
    await transaction.start()
    await blocker.execute("LOCK TABLE queue.keys IN EXCLUSIVE MODE")
    calls = [
        queue.producer.EnqueueTask(
            pb.EnqueueTaskRequest(task_id=f"t{number}", template=template()), timeout=TIMEOUT
        )
        for number in range(200)
    ]
    await until(lambda: _waits_for_lock(queue_database), "intake to wait for the lock")
    for each in calls:
        each.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    await transaction.rollback()
    await blocker.close()

    async def quiet() -> bool:
        return await value(queue_database, BUSY) == 0

    await until(quiet, "no statement under way")
    answers = await asyncio.gather(*(queue.enqueue(f"u{number}") for number in range(20)))
    assert all(answer.created for answer in answers)
    assert await value(queue_database, CONNECTIONS) <= 16


async def _waits_for_lock(database: Database) -> bool:
    return bool(
        await value(
            database,
            "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'queue.keys'::regclass)",
        )
    )


async def test_a_call_that_was_given_up_is_the_same_task_when_repeated(queue: QueueServer) -> None:
    with pytest.raises(grpc.aio.AioRpcError):
        await queue.producer.EnqueueTask(
            pb.EnqueueTaskRequest(task_id="t", template=template()), timeout=0.000001
        )
    first = await queue.enqueue("t")
    assert not (await queue.enqueue("t")).created
    assert first.task.task_id == "t"


async def test_streams_that_break_off_leave_nothing_behind(
    queue: QueueServer, queue_database: Database
) -> None:
    async def endless():  # type: ignore[no-untyped-def]
        number = 0
        while True:
            number += 1
            yield intake_service_pb2.StreamDueTasksRequest(tasks=[due_task(f"f{number}", f"s{number}")])

    for _ in range(5):
        stream = queue.intake.StreamDueTasks(endless(), timeout=TIMEOUT)
        await stream.read()
        stream.cancel()
        watch = queue.producer.WatchActivity(pb.WatchActivityRequest(), timeout=TIMEOUT)
        await watch.read()
        watch.cancel()
        feed = queue.intake.WatchOutcomes(intake_service_pb2.WatchOutcomesRequest(), timeout=TIMEOUT)
        await feed.read()
        feed.cancel()

    async def settled() -> bool:
        names = {task.get_name() for task in asyncio.all_tasks()}
        running = [str(task.get_coro()) for task in asyncio.all_tasks()]
        return not names & {"due-task-reader", "due-task-stopper", "activity-reader"} and not any(
            "handle_rpc" in coroutine or "_handle_stream" in coroutine for coroutine in running
        )

    await until(settled, "the handlers' tasks to end")
    assert (await queue.enqueue("t")).created
