"""Idempotent intake: one task for each key, whatever is sent and how often."""

import asyncio
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from batonpass.queue.v1 import pull_service_pb2, task_pb2
from batonpass.queue.v1 import queue_service_pb2 as pb

from service_kit.postgres import Database
from tests.support.queue_rows import value
from tests.support.queue_server import (
    METADATA,
    TIMEOUT,
    QueueServer,
    facts,
    queue_server,
    reason,
    template,
    timestamp,
)


def batch(*requests: pb.EnqueueTaskRequest) -> pb.BatchEnqueueTasksRequest:
    return pb.BatchEnqueueTasksRequest(requests=requests)


def item(task_id: str, **fields: object) -> pb.EnqueueTaskRequest:
    return pb.EnqueueTaskRequest(task_id=task_id, template=template(**fields))


async def test_a_task_comes_back_with_its_defaults_filled_in(queue: QueueServer) -> None:
    answer = await queue.enqueue("t", handler="name:x", payload=b'{"a": 1}')
    assert answer.created
    found = await queue.get("t")
    assert found == pb.EnqueueTaskResponse(task=found).task
    assert found.template.priority == 5
    assert (found.template.retry_policy, found.template.circuit_breaker) == ("standard", "default")
    assert found.template.timeout.seconds == 3600
    assert (found.template.queue, found.template.payload) == ("default", b'{"a": 1}')
    assert (found.state, found.band) == (task_pb2.TASK_STATE_WAITING, task_pb2.PRIORITY_BAND_NORMAL)
    assert (found.effective_priority, found.attempt, found.chain) == (5, 1, 1)
    assert found.enqueue_time == answer.task.enqueue_time


async def test_the_same_body_again_is_the_same_task(queue: QueueServer, queue_database: Database) -> None:
    first = await queue.enqueue("t", handler="name:x", payload=b"p")
    again = await queue.enqueue("t", handler="name:x", payload=b"p")
    assert (first.created, again.created) == (True, False)
    assert again.task.enqueue_time == first.task.enqueue_time
    assert await value(queue_database, "SELECT count(*) FROM queue.tasks") == 1


async def test_a_different_body_is_refused(queue: QueueServer) -> None:
    await queue.enqueue("t", payload=b"p")
    for other in ({"payload": b"q"}, {"payload": b"p", "priority": 5}, {"payload": b"p", "name": "n"}):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await queue.enqueue("t", **other)
        assert reason(refused.value) == ("ALREADY_EXISTS", "ALREADY_EXISTS")
        assert facts(refused.value) == {"task_id": "t", "queue": "default"}
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await queue.enqueue("t", payload=b"p", run_time=timestamp(datetime.now(UTC)))
    assert reason(refused.value) == ("ALREADY_EXISTS", "ALREADY_EXISTS")


async def test_fifty_racers_on_two_replicas_make_one_task(
    queue: QueueServer, queue_database_url: str, queue_database: Database
) -> None:
    async with queue_server(queue_database_url) as other:
        answers = await asyncio.gather(
            *((queue, other)[number % 2].enqueue("t", handler="name:x") for number in range(50))
        )
    assert Counter(answer.created for answer in answers) == {True: 1, False: 49}
    assert len({answer.task.enqueue_time.ToNanoseconds() for answer in answers}) == 1
    assert await value(queue_database, "SELECT count(*) FROM queue.tasks") == 1


async def test_racers_with_different_bodies_get_one_winner(queue: QueueServer) -> None:
    answers = await asyncio.gather(
        *(queue.enqueue("t", payload=bytes([number % 5])) for number in range(50)), return_exceptions=True
    )
    taken = [answer for answer in answers if isinstance(answer, pb.EnqueueTaskResponse)]
    assert Counter(answer.created for answer in taken) == {True: 1, False: 9}
    refused = [error for error in answers if isinstance(error, grpc.aio.AioRpcError)]
    assert {reason(error) for error in refused} == {("ALREADY_EXISTS", "ALREADY_EXISTS")}
    assert len(refused) == 40


async def test_a_key_twice_in_a_batch_is_judged_twice(queue: QueueServer) -> None:
    answer = await queue.producer.BatchEnqueueTasks(
        batch(item("a", priority=3), item("a", priority=3), item("a", priority=4), item("b")),
        timeout=TIMEOUT,
        metadata=METADATA,
    )
    verdicts = [(each.task_id, each.created, each.refused_reason) for each in answer.verdicts]
    assert verdicts == [("a", True, ""), ("a", False, ""), ("a", False, "ALREADY_EXISTS"), ("b", True, "")]


async def test_a_refused_item_keeps_no_other_out(queue: QueueServer, queue_database: Database) -> None:
    answer = await queue.producer.BatchEnqueueTasks(
        batch(
            item("good"),
            item("bad-priority", priority=11),
            item("bad handler"),
            item("nameless", handler="name:"),
            item("large", cpu=81),
            pb.EnqueueTaskRequest(task_id="empty"),
            item(""),
        ),
        timeout=TIMEOUT,
        metadata=METADATA,
    )
    reasons = [each.refused_reason for each in answer.verdicts]
    assert reasons == ["", *["INVALID_ARGUMENT"] * 3, "TASK_TOO_LARGE", "INVALID_ARGUMENT", ""]
    assert "priority" in answer.verdicts[1].refused_message
    assert uuid.UUID(answer.verdicts[6].task_id).version == 7
    assert await value(queue_database, "SELECT count(*) FROM queue.tasks") == 2


async def test_a_batch_without_items_or_with_too_many_is_refused(queue: QueueServer) -> None:
    for number in (0, 1001):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await queue.producer.BatchEnqueueTasks(batch(*[item("")] * number), timeout=TIMEOUT)
        assert reason(refused.value)[0] == "INVALID_ARGUMENT"


async def test_tasks_of_a_batch_stand_in_its_order(queue: QueueServer, queue_database: Database) -> None:
    names = [f"t{number:04}" for number in range(1000)]
    await queue.producer.BatchEnqueueTasks(batch(*map(item, names)), timeout=TIMEOUT)
    stored = await value(queue_database, "SELECT array_agg(task_id ORDER BY order_at, id) FROM queue.tasks")
    assert stored == names


async def test_without_a_name_each_call_makes_another_task(queue: QueueServer) -> None:
    made = [(await queue.enqueue("")).task.task_id for _ in range(3)]
    assert len(set(made)) == 3
    assert made == sorted(made)
    assert {uuid.UUID(name).version for name in made} == {7}


async def test_names_are_of_a_namespace_and_a_queue(queue: QueueServer) -> None:
    made = [
        await queue.enqueue("t", priority=1),
        await queue.enqueue("t", priority=2, queue="other"),
        await queue.enqueue("t", priority=3, namespace="elsewhere"),
    ]
    assert [answer.created for answer in made] == [True] * 3
    assert (await queue.get("t", "other")).template.priority == 2
    assert (await queue.get("t", namespace="elsewhere")).template.priority == 3


async def test_a_name_stands_for_its_task_after_it_ended(queue: QueueServer) -> None:
    await queue.enqueue("t", priority=4)
    lease = await queue.pull.LeaseTask(
        pull_service_pb2.LeaseTaskRequest(task_id="t", executor="me"), timeout=TIMEOUT
    )
    await queue.pull.CompleteTask(
        pull_service_pb2.CompleteTaskRequest(
            task_id="t", lease_token=lease.lease_token, report=task_pb2.AttemptReport()
        ),
        timeout=TIMEOUT,
    )
    again = await queue.enqueue("t", priority=4)
    assert not again.created
    assert again.task.state == task_pb2.TASK_STATE_SUCCEEDED
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await queue.enqueue("t", priority=5)
    assert reason(refused.value)[0] == "ALREADY_EXISTS"


async def test_a_task_over_every_limit_is_refused_with_limit_and_remedy(queue: QueueServer) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await queue.enqueue("t", cpu=80.01, memory=10)
    assert reason(refused.value) == ("FAILED_PRECONDITION", "TASK_TOO_LARGE")
    assert facts(refused.value)["max_cpu_percent"] == "80.0"
    assert "UpdateLimits" in str(refused.value.details())
    assert (await queue.enqueue("exact", cpu=80, memory=85)).created


async def test_a_task_that_one_executor_alone_can_take_is_taken(queue: QueueServer) -> None:
    await queue.pull.PeekTasks(pull_service_pb2.PeekTasksRequest(), timeout=TIMEOUT)
    await queue.enqueue("small")
    await queue.pull.LeaseTask(pull_service_pb2.LeaseTaskRequest(executor="big"), timeout=TIMEOUT)
    await queue.producer.UpdateLimits(
        pb.UpdateLimitsRequest(executor="big", max_cpu_percent=100), timeout=TIMEOUT
    )
    assert (await queue.enqueue("large", cpu=100)).created


async def test_an_accepted_task_is_known_although_limits_were_lowered_since(queue: QueueServer) -> None:
    await queue.enqueue("t", cpu=50)
    await queue.producer.UpdateLimits(pb.UpdateLimitsRequest(max_cpu_percent=10), timeout=TIMEOUT)
    assert not (await queue.enqueue("t", cpu=50)).created
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await queue.enqueue("other", cpu=50)
    assert reason(refused.value)[1] == "TASK_TOO_LARGE"


async def test_a_task_for_later_is_scheduled_and_says_until_when(queue: QueueServer) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    answer = await queue.enqueue("t", run_time=timestamp(later))
    assert answer.task.state == task_pb2.TASK_STATE_SCHEDULED
    found = await queue.get("t")
    assert found.run_time == timestamp(later)
    assert found.waiting_reason.startswith("its run time is in ")


async def test_a_group_with_a_text_that_postgres_cannot_store_spoils_only_itself(queue: QueueServer) -> None:
    answers = await asyncio.gather(
        *(queue.enqueue(f"t{number}", name="\0" if number == 3 else "fine") for number in range(6)),
        return_exceptions=True,
    )
    assert [isinstance(answer, Exception) for answer in answers] == [number == 3 for number in range(6)]
