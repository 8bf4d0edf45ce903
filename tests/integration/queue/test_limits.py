"""Limits: stored, in force at once, and never broken."""

from typing import Any

import grpc
import pytest
from batonpass.queue.v1 import pull_service_pb2
from batonpass.queue.v1 import queue_service_pb2 as pb

from service_kit.postgres import Database
from tests.support.queue_rows import broken_rules, fetch
from tests.support.queue_server import METADATA, TIMEOUT, QueueServer, queue_server, reason


async def update(server: QueueServer, **request: Any) -> pb.UpdateLimitsResponse:
    answer: pb.UpdateLimitsResponse = await server.producer.UpdateLimits(
        pb.UpdateLimitsRequest(**request), timeout=TIMEOUT, metadata=METADATA
    )
    return answer


async def get(server: QueueServer, executor: str = "") -> pb.GetLimitsResponse:
    answer: pb.GetLimitsResponse = await server.producer.GetLimits(
        pb.GetLimitsRequest(executor=executor), timeout=TIMEOUT
    )
    return answer


async def lease(queue: QueueServer, executor: str = "me") -> None:
    await queue.pull.LeaseTask(pull_service_pb2.LeaseTaskRequest(executor=executor), timeout=TIMEOUT)


async def test_the_defaults_are_four_eighty_and_eighty_five(queue: QueueServer) -> None:
    limits = (await get(queue)).defaults
    assert (limits.max_tasks, limits.max_cpu_percent, limits.max_memory_percent) == (4, 80, 85)


async def test_a_change_touches_only_what_it_names_and_outlives_the_replica(
    queue: QueueServer, queue_database_url: str
) -> None:
    changed = (await update(queue, max_cpu_percent=33.33)).defaults
    assert (changed.max_tasks, changed.max_cpu_percent, changed.max_memory_percent) == (4, 33.33, 85)
    async with queue_server(queue_database_url) as other:
        assert (await get(other)).defaults == changed
        assert (await update(other)).defaults == changed


async def test_an_executors_own_limits_stand_beside_the_defaults(queue: QueueServer) -> None:
    await queue.enqueue("t")
    await lease(queue)
    assert not (await get(queue)).executors
    changed = (await update(queue, executor="me", max_tasks=2)).executor
    assert (changed.executor, changed.limits.max_tasks, changed.limits.max_cpu_percent) == ("me", 2, 80)
    await update(queue, max_tasks=9, max_memory_percent=50)
    (own,) = (await get(queue)).executors
    assert (own.limits.max_tasks, own.limits.max_memory_percent) == (2, 50)
    assert (await get(queue, "me")).executors[0] == own


async def test_an_unknown_executor_is_not_found(queue: QueueServer) -> None:
    for call in (get(queue, "nobody"), update(queue, executor="nobody", max_tasks=1)):
        with pytest.raises(grpc.aio.AioRpcError) as missing:
            await call
        assert reason(missing.value) == ("NOT_FOUND", "EXECUTOR_NOT_FOUND")


async def test_a_limit_below_the_use_stops_new_starts_and_ends_nothing(
    queue: QueueServer, queue_database: Database
) -> None:
    for number in range(4):
        await queue.enqueue(f"t{number}")
    for _ in range(2):
        await lease(queue)
    await update(queue, max_tasks=1)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await lease(queue)
    assert reason(refused.value) == ("FAILED_PRECONDITION", "OVER_LIMIT")
    status = await queue.producer.GetQueueStatus(pb.GetQueueStatusRequest(), timeout=TIMEOUT)
    assert (status.counts.running, status.executors[0].use.tasks) == (2, 2)
    await update(queue, max_tasks=3)
    await lease(queue)
    assert not await broken_rules(queue_database)


async def test_a_limit_of_nothing_holds_everything(queue: QueueServer) -> None:
    await update(queue, max_tasks=0)
    await queue.enqueue("t")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await lease(queue)
    assert reason(refused.value)[1] == "OVER_LIMIT"


async def test_limits_are_of_a_namespace(queue: QueueServer) -> None:
    await update(queue, max_tasks=7)
    answer = await queue.producer.GetLimits(
        pb.GetLimitsRequest(), timeout=TIMEOUT, metadata=(("batonpass-namespace", "elsewhere"),)
    )
    assert answer.defaults.max_tasks == 4


async def test_changes_are_written_down_with_who_made_them(
    queue: QueueServer, queue_database: Database
) -> None:
    await update(queue, max_tasks=7)
    (row,) = await fetch(queue_database, "SELECT namespace, actor, action, detail FROM queue.actions")
    assert dict(row) == {
        "namespace": "default",
        "actor": "tester",
        "action": "change defaults",
        "detail": "max_tasks = 7",
    }
