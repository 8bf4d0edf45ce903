"""The feed of outcomes: complete, in commit order, resumable."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import grpc
import pytest
from batonpass.queue.v1 import intake_service_pb2 as pb
from batonpass.queue.v1 import queue_service_pb2, task_pb2

from tests.support.queue_server import TIMEOUT, QueueServer, due_task, reason


class Follower:
    """Reads a stream of outcomes message by message."""

    def __init__(self, queue: QueueServer, **request: Any) -> None:
        self._call = queue.intake.WatchOutcomes(pb.WatchOutcomesRequest(**request), timeout=60)
        self.cursor = ""

    async def message(self) -> pb.WatchOutcomesResponse:
        response = await asyncio.wait_for(asyncio.shield(asyncio.ensure_future(self._call.read())), TIMEOUT)
        assert response is not grpc.aio.EOF
        self.cursor = response.cursor
        return response

    async def outcomes(self, number: int) -> list[pb.Outcome]:
        found: list[pb.Outcome] = []
        while len(found) < number:
            found += (await self.message()).outcomes
        return found

    def leave(self) -> None:
        self._call.cancel()


@asynccontextmanager
async def following(queue: QueueServer, **request: Any) -> AsyncIterator[Follower]:
    follower = Follower(queue, **request)
    try:
        yield follower
    finally:
        follower.leave()


async def end(queue: QueueServer, *task_ids: str) -> None:
    """Enqueues tasks and cancels them."""
    for task_id in task_ids:
        await queue.enqueue(task_id, handler="name:noop")
        await cancel(queue, task_id)


async def cancel(queue: QueueServer, task_id: str) -> None:
    await queue.producer.CancelTask(queue_service_pb2.CancelTaskRequest(task_id=task_id), timeout=TIMEOUT)


def names(outcomes: list[pb.Outcome]) -> list[str]:
    return [outcome.task_id for outcome in outcomes]


async def test_the_end_of_a_scheduled_task_is_told(queue: QueueServer) -> None:
    await queue.due(due_task("f1", "nightly", handler="name:" + "x" * 128))
    await cancel(queue, "f1")
    async with following(queue) as follower:
        (outcome,) = await follower.outcomes(1)
    assert (outcome.namespace, outcome.queue, outcome.task_id) == ("default", "default", "f1")
    assert (outcome.schedule_id, outcome.chain, outcome.attempts) == ("nightly", 1, 0)
    assert outcome.state == task_pb2.TASK_STATE_CANCELLED
    assert not outcome.HasField("last_attempt")
    assert not outcome.HasField("start_time")


async def test_tasks_without_a_schedule_are_told_only_when_asked_for(queue: QueueServer) -> None:
    await end(queue, "t1")
    await queue.due(due_task("f1"))
    await cancel(queue, "f1")
    async with following(queue) as follower:
        assert names(await follower.outcomes(1)) == ["f1"]
    async with following(queue, all_tasks=True) as follower:
        assert names(await follower.outcomes(2)) == ["t1", "f1"]


async def test_outcomes_that_come_later_are_told_as_they_come(queue: QueueServer) -> None:
    async with following(queue, all_tasks=True) as follower:
        assert not (await follower.message()).outcomes
        for name in ("t1", "t2"):
            await end(queue, name)
            assert names(await follower.outcomes(1)) == [name]


async def test_a_late_commit_is_not_passed_over(queue: QueueServer, queue_database_url: str) -> None:
    """An older transaction commits after a newer one: its outcome is still told, before the newer one."""
    late = await asyncpg.connect(queue_database_url)
    try:
        async with following(queue, all_tasks=True) as follower:
            await follower.message()
            transaction = late.transaction()
            await transaction.start()
            await late.execute(
                "INSERT INTO queue.history (id, namespace, queue, task_id, state, ended_at, handler, name,"
                " priority, cpu, memory, timeout_ms, retry_policy, circuit_breaker, enqueued_at, order_at,"
                " run_at) VALUES (1000000, 'default', 'default', 'late', 7, now(), '', '', 5, 0, 0, 1000,"
                " 'none', 'default', now(), now(), now())"
            )
            await end(queue, "newer")
            with pytest.raises(TimeoutError):
                # Two polls long nothing is told: the older transaction could still commit.
                await asyncio.wait_for(follower.outcomes(1), 2.5)
            await transaction.commit()
        async with following(queue, all_tasks=True, cursor=follower.cursor) as follower:
            assert names(await follower.outcomes(2)) == ["late", "newer"]
    finally:
        await late.close()


async def test_a_stream_goes_on_from_its_cursor_without_gap_or_repetition(queue: QueueServer) -> None:
    await end(queue, *(f"t{number}" for number in range(5)))
    async with following(queue, all_tasks=True) as follower:
        assert names(await follower.outcomes(5)) == [f"t{number}" for number in range(5)]
        cursor = follower.cursor
    await end(queue, "t5", "t6")
    async with following(queue, all_tasks=True, cursor=cursor) as follower:
        assert names(await follower.outcomes(2)) == ["t5", "t6"]


async def test_from_now_leaves_out_what_was_before(queue: QueueServer) -> None:
    await end(queue, "before")
    async with following(queue, all_tasks=True, from_now=True) as follower:
        assert not (await follower.message()).outcomes
        await end(queue, "after")
        assert names(await follower.outcomes(1)) == ["after"]


async def test_the_cursor_moves_past_what_was_not_asked_for(queue: QueueServer) -> None:
    async with following(queue) as follower:
        first = (await follower.message()).cursor
    await end(queue, "t1")
    async with following(queue, cursor=first) as follower:
        assert (await follower.message()).cursor != first


async def test_a_cursor_older_than_what_is_kept_is_out_of_range(
    queue: QueueServer, queue_database_url: str
) -> None:
    async with following(queue, all_tasks=True) as follower:
        await follower.message()
    owner = await asyncpg.connect(queue_database_url)
    await owner.execute(
        "INSERT INTO queue.watermarks VALUES ('outcomes', pg_snapshot_xmax(pg_current_snapshot()), now())"
    )
    await owner.close()
    with pytest.raises(grpc.aio.AioRpcError) as gone:
        async with following(queue, cursor=follower.cursor) as late:
            await late.message()
    assert reason(gone.value) == ("OUT_OF_RANGE", "CURSOR_GONE")
    assert "from_now" in str(gone.value.details())
    async with following(queue, from_now=True) as anew:
        await anew.message()


async def test_a_cursor_of_another_database_is_out_of_range(queue: QueueServer) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as gone:
        async with following(queue, cursor=f"{2**60}.0") as follower:
            await follower.message()
    assert reason(gone.value) == ("OUT_OF_RANGE", "CURSOR_GONE")


async def test_what_is_no_cursor_is_refused(queue: QueueServer) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        async with following(queue, cursor="yesterday") as follower:
            await follower.message()
    assert reason(refused.value)[0] == "INVALID_ARGUMENT"


async def test_a_long_feed_comes_in_messages_that_fit(queue: QueueServer, queue_database_url: str) -> None:
    owner = await asyncpg.connect(queue_database_url)
    await owner.execute(
        """
        WITH h AS (
            INSERT INTO queue.history (
                id, namespace, queue, task_id, state, ended_at, handler, name, priority, cpu, memory,
                timeout_ms, retry_policy, circuit_breaker, enqueued_at, order_at, run_at, last_token,
                last_ended_at, attempts, schedule_id
            )
            SELECT n, 'default', 'default', 't' || n, 6, now(), 'name:x', '', 5, 0, 0,
                   1000, 'none', 'default', now(), now(), now(), n,
                   now(), 1, 's'
            FROM generate_series(1, 700) AS n RETURNING id, last_token
        )
        INSERT INTO queue.attempts (task, chain, attempt, token, executor, offered_at, ended_at, result,
                                    category, state, output_tail)
        SELECT id, 1, 1, last_token, 'a', now(), now(), 2, 1, 6, repeat('x', 16384) FROM h
        """
    )
    await owner.close()
    async with following(queue) as follower:
        sizes, found = [], []
        while len(found) < 700:
            response = await follower.message()
            sizes.append(response.ByteSize())
            found += response.outcomes
    assert names(found) == [f"t{number}" for number in range(1, 701)]
    assert max(sizes) < 2 * 1024 * 1024
    assert {len(outcome.last_attempt.report.output_tail) for outcome in found} == {16384}


async def test_an_idle_stream_shows_that_it_lives(queue: QueueServer) -> None:
    async with following(queue) as follower:
        await follower.message()
        response = await asyncio.wait_for(follower.message(), 8)
    assert not response.outcomes
    assert response.cursor
