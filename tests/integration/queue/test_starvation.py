"""Ageing seen by operators, and boosts."""

from datetime import timedelta
from typing import Any

import asyncpg
from batonpass.queue.v1 import pull_service_pb2
from batonpass.queue.v1 import queue_service_pb2 as pb
from google.protobuf.duration_pb2 import Duration

from service_kit.postgres import Database
from tests.support.queue_rows import value
from tests.support.queue_server import METADATA, TIMEOUT, QueueServer


async def prevent(server: QueueServer, **request: Any) -> pb.PreventStarvationResponse:
    answer: pb.PreventStarvationResponse = await server.producer.PreventStarvation(
        pb.PreventStarvationRequest(**request), timeout=TIMEOUT, metadata=METADATA
    )
    return answer


async def age(url: str, task_id: str, by: timedelta) -> None:
    """Makes a task, and its last boost, look older."""
    owner = await asyncpg.connect(url)
    await owner.execute(
        "UPDATE queue.tasks SET order_at = order_at - $2::interval, enqueued_at = enqueued_at - $2::interval,"
        " run_at = run_at - $2::interval, boosted_at = boosted_at - $2::interval WHERE task_id = $1",
        task_id,
        by,
    )
    await owner.close()


async def test_tasks_older_than_the_threshold_are_reported_longest_first(
    queue: QueueServer, queue_database_url: str
) -> None:
    for name in ("young", "old", "older"):
        await queue.enqueue(name, priority=3)
    await age(queue_database_url, "old", timedelta(minutes=45))
    await age(queue_database_url, "older", timedelta(hours=10))
    answer = await prevent(queue)
    assert answer.threshold == Duration(seconds=1800)
    assert [(task.task_id, task.priority, task.effective_priority) for task in answer.tasks] == [
        ("older", 3, 10),
        ("old", 3, 4),
    ]
    assert answer.tasks[0].waited.seconds // 3600 == 10
    assert not any(task.boosted_now for task in answer.tasks)
    status = await queue.producer.GetQueueStatus(pb.GetQueueStatusRequest(), timeout=TIMEOUT)
    assert status.starving == 2
    assert (await queue.get("old")).effective_priority == 4


async def test_a_boost_comes_once_per_threshold(
    queue: QueueServer, queue_database_url: str, queue_database: Database
) -> None:
    await queue.enqueue("t", priority=3)
    await age(queue_database_url, "t", timedelta(minutes=100))
    (task,) = (await prevent(queue, boost=True)).tasks
    assert (task.boosted_now, task.effective_priority) == (True, 7)
    (task,) = (await prevent(queue, boost=True)).tasks
    assert (task.boosted_now, task.effective_priority) == (False, 7)
    await age(queue_database_url, "t", timedelta(minutes=31))
    assert (await prevent(queue, boost=True)).tasks[0].boosted_now
    found = await queue.get("t")
    assert (found.template.priority, found.boost) == (3, 2)
    assert await value(queue_database, "SELECT level FROM queue.tasks") == 5
    assert await value(queue_database, "SELECT count(*) FROM queue.transitions WHERE kind = 7") == 2


async def test_a_threshold_is_stored_and_counts_from_then_on(
    queue: QueueServer, queue_database_url: str
) -> None:
    await queue.enqueue("t")
    await age(queue_database_url, "t", timedelta(minutes=2))
    assert not (await prevent(queue)).tasks
    answer = await prevent(queue, threshold=Duration(seconds=60))
    assert [task.effective_priority for task in answer.tasks] == [7]
    assert (await prevent(queue)).threshold == Duration(seconds=60)
    assert (await queue.get("t")).effective_priority == 7


async def test_a_boosted_task_overtakes(queue: QueueServer, queue_database_url: str) -> None:
    """Both are as old; the boost alone decides."""
    await queue.enqueue("important", priority=6)
    await queue.enqueue("boosted", priority=5, queue="q")
    for name in ("important", "boosted"):
        await age(queue_database_url, name, timedelta(minutes=31))
    for _ in range(2):
        await prevent(queue, boost=True, queue="q")
        await age(queue_database_url, "boosted", timedelta(minutes=31))
        await age(queue_database_url, "important", timedelta(minutes=31))
    seen = await queue.pull.PeekTasks(pull_service_pb2.PeekTasksRequest(), timeout=TIMEOUT)
    assert seen.next.task_id == "boosted"


async def test_what_is_held_or_not_due_does_not_starve(queue: QueueServer, queue_database_url: str) -> None:
    await queue.enqueue("held")
    await queue.pull.LeaseTask(
        pull_service_pb2.LeaseTaskRequest(task_id="held", executor="me"), timeout=TIMEOUT
    )
    await age(queue_database_url, "held", timedelta(hours=2))
    assert not (await prevent(queue, boost=True)).tasks


async def test_other_queues_are_left_alone(queue: QueueServer, queue_database_url: str) -> None:
    await queue.enqueue("t", queue="q")
    await age(queue_database_url, "t", timedelta(hours=2))
    assert not (await prevent(queue, boost=True, queue="default")).tasks
    assert len((await prevent(queue, queue="q")).tasks) == 1
