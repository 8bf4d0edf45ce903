"""The pull API: lease, extend, complete, peek."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import grpc
import pytest
from batonpass.queue.v1 import executor_pb2, queue_service_pb2, task_pb2
from batonpass.queue.v1 import pull_service_pb2 as pb
from google.protobuf.duration_pb2 import Duration

from service_kit.postgres import Database
from tests.support.agent import Agent, ref
from tests.support.queue_rows import broken_rules, fetch, value
from tests.support.queue_server import METADATA, TIMEOUT, QueueServer, queue_server, reason, timestamp
from tests.support.waiting import until


async def lease(
    server: QueueServer, task_id: str = "", executor: str = "me", **more: Any
) -> pb.LeaseTaskResponse:
    request = pb.LeaseTaskRequest(task_id=task_id, executor=executor, **more)
    answer: pb.LeaseTaskResponse = await server.pull.LeaseTask(request, timeout=TIMEOUT)
    return answer


async def complete(
    queue: QueueServer, task_id: str, token: int, exit_code: int = 0, **report: Any
) -> task_pb2.Task:
    answer = await queue.pull.CompleteTask(
        pb.CompleteTaskRequest(
            task_id=task_id, lease_token=token, report=task_pb2.AttemptReport(exit_code=exit_code, **report)
        ),
        timeout=TIMEOUT,
        metadata=METADATA,
    )
    found: task_pb2.Task = answer.task
    return found


async def peek(server: QueueServer, **request: Any) -> pb.PeekTasksResponse:
    answer: pb.PeekTasksResponse = await server.pull.PeekTasks(
        pb.PeekTasksRequest(**request), timeout=TIMEOUT
    )
    return answer


async def set_limits(queue: QueueServer, **limits: Any) -> None:
    await queue.producer.UpdateLimits(queue_service_pb2.UpdateLimitsRequest(**limits), timeout=TIMEOUT)


async def states(queue: QueueServer) -> dict[str, str]:
    """Of every executor, as lists and status show it."""
    listed = await queue.producer.ListExecutors(queue_service_pb2.ListExecutorsRequest(), timeout=TIMEOUT)
    status = await queue.producer.GetQueueStatus(queue_service_pb2.GetQueueStatusRequest(), timeout=TIMEOUT)
    assert list(status.executors) == list(listed.executors)
    return {each.name: executor_pb2.ExecutorState.Name(each.state) for each in listed.executors}


async def test_a_pull_client_is_online_while_it_holds_an_unexpired_lease(
    queue: QueueServer, queue_database_url: str
) -> None:
    for name in ("a", "b"):
        await queue.enqueue(name)
    held = await lease(queue, "a", "ends")
    await lease(queue, "b", "expires", lease_duration=Duration(seconds=3600))
    assert await states(queue) == {
        "ends": "EXECUTOR_STATE_ONLINE",
        "expires": "EXECUTOR_STATE_ONLINE",
    }
    await complete(queue, "a", held.lease_token)
    owner = await asyncpg.connect(queue_database_url)
    # Whether the reaper has been there already makes no difference.
    await owner.execute("UPDATE queue.leases SET expires_at = now() - interval '1 s'")
    await owner.close()
    assert await states(queue) == {
        "ends": "EXECUTOR_STATE_OFFLINE",
        "expires": "EXECUTOR_STATE_OFFLINE",
    }


async def test_a_lease_comes_with_payload_token_and_end(queue: QueueServer) -> None:
    await queue.enqueue("t", payload=b"input")
    leased = await lease(queue, "t", lease_duration=Duration(seconds=60))
    assert leased.task.state == task_pb2.TASK_STATE_RUNNING
    assert leased.task.template.payload == b"input"
    assert (leased.task.executor, leased.task.attempt) == ("me", 1)
    ends = leased.lease_expire_time.ToDatetime(tzinfo=UTC)
    assert timedelta(seconds=50) < ends - datetime.now(UTC) < timedelta(seconds=70)


async def test_without_a_name_the_most_urgent_comes_first(queue: QueueServer) -> None:
    for name, priority in (("low", 2), ("high", 9), ("middle", 5), ("high too", 9)):
        await queue.enqueue(name.replace(" ", "-"), priority=priority)
    assert [(await lease(queue)).task.task_id for _ in range(4)] == ["high", "high-too", "middle", "low"]


async def test_handlers_are_leased_only_when_the_client_runs_them(queue: QueueServer) -> None:
    await queue.enqueue("named", handler="name:report", priority=9)
    await queue.enqueue("shell", handler="echo", priority=8)
    await queue.enqueue("plain", priority=1)
    assert (await lease(queue)).task.task_id == "plain"
    assert (await lease(queue, handlers=["report"])).task.task_id == "named"
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await lease(queue, handlers=["report"])
    assert reason(refused.value) == ("NOT_FOUND", "NO_TASK")


async def test_a_task_that_is_named_is_leased_whatever_runs_it(queue: QueueServer) -> None:
    await queue.enqueue("shell", handler="echo")
    assert (await lease(queue, "shell")).task.task_id == "shell"


async def test_a_queue_keeps_its_tasks_apart(queue: QueueServer) -> None:
    await queue.enqueue("t", queue="other")
    with pytest.raises(grpc.aio.AioRpcError):
        await lease(queue)
    assert (await lease(queue, queue="other")).task.task_id == "t"


async def test_what_is_not_waiting_is_refused(queue: QueueServer) -> None:
    await queue.enqueue("leased")
    await lease(queue, "leased")
    await queue.enqueue("later", run_time=timestamp(datetime.now(UTC) + timedelta(hours=1)))
    await queue.enqueue("ended")
    await complete(queue, "ended", (await lease(queue, "ended")).lease_token)
    for name in ("leased", "later", "ended"):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await lease(queue, name)
        assert reason(refused.value) == ("FAILED_PRECONDITION", "TASK_NOT_WAITING")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await lease(queue, "unknown")
    assert reason(refused.value) == ("NOT_FOUND", "TASK_NOT_FOUND")


async def test_a_client_is_held_to_its_limits(queue: QueueServer, queue_database: Database) -> None:
    for number in range(5):
        await queue.enqueue(f"t{number}", cpu=30)
    assert [(await lease(queue)).task.task_id for _ in range(2)] == ["t0", "t1"]
    for name in ("", "t2"):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await lease(queue, name)
        assert reason(refused.value) == ("FAILED_PRECONDITION", "OVER_LIMIT")
        assert "20.0 % of CPU left" in str(refused.value.details())
    await set_limits(queue, executor="me", max_cpu_percent=90)
    assert (await lease(queue, "t2")).task.task_id == "t2"
    assert not await broken_rules(queue_database)


async def test_racing_clients_never_share_a_task_nor_break_a_limit(
    queue: QueueServer, queue_database: Database
) -> None:
    for number in range(8):
        await queue.enqueue(f"t{number}", cpu=25)
    answers = await asyncio.gather(
        *(lease(queue, executor=f"e{number % 2}") for number in range(12)), return_exceptions=True
    )
    won = [answer.task.task_id for answer in answers if isinstance(answer, pb.LeaseTaskResponse)]
    assert len(won) == len(set(won)) <= 6
    assert not await broken_rules(queue_database)


async def test_a_repeated_request_gets_the_same_lease(queue: QueueServer, queue_database: Database) -> None:
    for number in range(3):
        await queue.enqueue(f"t{number}")
    answers = await asyncio.gather(*(lease(queue, request_id="r") for _ in range(8)))
    assert len({(answer.task.task_id, answer.lease_token) for answer in answers}) == 1
    assert await value(queue_database, "SELECT count(*) FROM queue.leases") == 1
    assert (await lease(queue, request_id="other")).task.task_id != answers[0].task.task_id


async def test_an_extension_counts_from_now(queue: QueueServer) -> None:
    await queue.enqueue("t")
    leased = await lease(queue, "t", lease_duration=Duration(seconds=5))
    for seconds in (3600, 1):
        answer = await queue.pull.ExtendLease(
            pb.ExtendLeaseRequest(
                task_id="t", lease_token=leased.lease_token, lease_duration=Duration(seconds=seconds)
            ),
            timeout=TIMEOUT,
        )
        left = answer.lease_expire_time.ToDatetime(tzinfo=UTC) - datetime.now(UTC)
        assert timedelta(seconds=seconds - 5) < left < timedelta(seconds=seconds + 5)


async def test_a_token_that_is_not_the_current_one_changes_nothing(queue: QueueServer) -> None:
    await queue.enqueue("t")
    token = (await lease(queue, "t")).lease_token
    for call in (
        queue.pull.ExtendLease(pb.ExtendLeaseRequest(task_id="t", lease_token=token + 1), timeout=TIMEOUT),
        complete(queue, "t", token + 1),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call
        assert reason(refused.value) == ("FAILED_PRECONDITION", "STALE_LEASE")
    assert (await queue.get("t")).state == task_pb2.TASK_STATE_RUNNING
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await complete(queue, "unknown", token)
    assert reason(refused.value) == ("NOT_FOUND", "TASK_NOT_FOUND")


async def test_an_agents_lease_is_not_a_pull_clients_to_end(queue: QueueServer) -> None:
    """The agent would go on running what others then start again."""
    await queue.enqueue("t", handler="name:noop")
    async with Agent(queue.address, handlers=["noop"]) as agent:
        await agent.connect(credit=1)
        (offer,) = await agent.offers(1)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await complete(queue, "t", offer.lease_token)
        assert reason(refused.value) == ("FAILED_PRECONDITION", "STALE_LEASE")
        await agent.finish([ref(offer)])
        await agent.acknowledged(1)
    assert (await queue.get("t")).state == task_pb2.TASK_STATE_SUCCEEDED


async def test_completing_again_gives_the_first_answer(queue: QueueServer, queue_database: Database) -> None:
    await queue.enqueue("t")
    token = (await lease(queue, "t")).lease_token
    answers = await asyncio.gather(*(complete(queue, "t", token, number % 2) for number in range(6)))
    assert len({answer.state for answer in answers}) == 1
    assert await value(queue_database, "SELECT count(*) FROM queue.attempts") == 1
    assert not await broken_rules(queue_database)


async def test_an_exit_code_decides_and_the_report_is_kept(queue: QueueServer) -> None:
    await queue.enqueue("good", cpu=10)
    leased = await lease(queue, "good")
    ended = await complete(
        queue,
        "good",
        leased.lease_token,
        cpu_percent=12.5,
        memory_percent=3,
        peak_memory_bytes=1 << 30,
        duration=Duration(seconds=7),
        output_tail="done\0",
    )
    assert ended.state == task_pb2.TASK_STATE_SUCCEEDED
    (attempt,) = (await queue.get("good")).attempts
    assert (attempt.attempt, attempt.executor, attempt.lease_token) == (1, "me", leased.lease_token)
    assert attempt.result == task_pb2.ATTEMPT_RESULT_SUCCEEDED
    report = attempt.report
    assert (report.cpu_percent, report.memory_percent, report.peak_memory_bytes) == (12.5, 3, 1 << 30)
    assert (report.duration.seconds, report.output_tail) == (7, "done\ufffd")


async def test_a_failure_waits_for_the_next_attempt_and_then_is_dead(
    queue: QueueServer, queue_database: Database
) -> None:
    """The wait is a matter of chance, so the test sets when it ends."""

    async def wait_until(run_at: datetime) -> None:
        await fetch(queue_database, "UPDATE queue.tasks SET run_at = $1", run_at)

    await queue.enqueue("t", retry_policy="aggressive", payload=b"kept")
    ended = await complete(queue, "t", (await lease(queue, "t")).lease_token, 3)
    assert ended.state == task_pb2.TASK_STATE_SCHEDULED
    await wait_until(datetime.now(UTC) + timedelta(hours=1))
    found = await queue.get("t")
    assert found.state == task_pb2.TASK_STATE_SCHEDULED
    assert (found.attempt, found.error, found.executor) == (2, "exit code 3", "me")
    assert found.waiting_reason.startswith("its next attempt is in")
    for code in (-9, 1):
        await wait_until(datetime.now(UTC) - timedelta(hours=1))
        await complete(queue, "t", (await lease(queue, "t")).lease_token, code)
    found = await queue.get("t")
    assert (found.state, found.attempt) == (task_pb2.TASK_STATE_DEAD, 3)
    assert [attempt.category for attempt in found.attempts] == [
        task_pb2.FAILURE_CATEGORY_EXIT,
        task_pb2.FAILURE_CATEGORY_SIGNAL,
        task_pb2.FAILURE_CATEGORY_EXIT,
    ]
    tokens = [attempt.lease_token for attempt in found.attempts]
    assert tokens == sorted(set(tokens))
    assert found.template.payload == b"kept"


async def _is_waiting(queue: QueueServer, task_id: str) -> bool:
    state: int = (await queue.get(task_id)).state
    return state == task_pb2.TASK_STATE_WAITING


async def test_a_lease_that_runs_out_is_lost_and_the_task_comes_back(queue_database_url: str) -> None:
    async with queue_server(
        queue_database_url,
        lease_ttl=timedelta(milliseconds=400),
        lease_margin=timedelta(milliseconds=200),
        heartbeat_interval=timedelta(milliseconds=100),
    ) as queue:
        await queue.enqueue("t")
        token = (await lease(queue, "t", lease_duration=Duration(seconds=1))).lease_token
        await until(lambda: _is_waiting(queue, "t"), "the lost task to come back")
        found = await queue.get("t")
        assert [attempt.result for attempt in found.attempts] == [task_pb2.ATTEMPT_RESULT_LOST]
        assert (await lease(queue, "t")).lease_token > token


async def test_peek_shows_what_would_start_and_leases_nothing(queue: QueueServer) -> None:
    assert await peek(queue) == pb.PeekTasksResponse()
    await queue.enqueue("unserved", handler="name:nobody", priority=10)
    await queue.enqueue("next", priority=4)
    for _ in range(2):
        seen = await peek(queue)
        assert (seen.next.task_id, seen.executor) == ("next", "operator")
        assert [task.task_id for task in seen.blocked] == ["unserved"]
        assert "'nobody'" in seen.blocked[0].waiting_reason


async def test_peek_passes_over_what_does_not_fit_and_says_why(queue: QueueServer) -> None:
    await queue.enqueue("runs", cpu=60)
    await lease(queue, "runs", executor="operator")
    await queue.enqueue("large", cpu=30, priority=9)
    await queue.enqueue("small", cpu=10, priority=1)
    seen = await peek(queue)
    assert seen.next.task_id == "small"
    assert [(task.task_id, task.waiting_reason) for task in seen.blocked] == [
        ("large", "operator has 20.0 % of CPU left and it needs 30.0 %")
    ]
    other = await peek(queue, executor="someone-else")
    assert (other.next.task_id, other.executor) == ("large", "someone-else")


async def test_peek_agrees_with_the_lease_that_follows(queue: QueueServer) -> None:
    for number in range(12):
        await queue.enqueue(f"t{number}", priority=1 + number * 7 % 10, cpu=(number * 13) % 30)
    for _ in range(3):
        seen = await peek(queue, executor="me")
        assert (await lease(queue)).task.task_id == seen.next.task_id


async def test_peek_limits_what_it_shows(queue: QueueServer) -> None:
    for number in range(15):
        await queue.enqueue(f"t{number}", handler="name:nobody")
    assert len((await peek(queue)).blocked) == 10
    assert len((await peek(queue, limit=0)).blocked) == 0
    assert [task.task_id for task in (await peek(queue, limit=100)).blocked] == [f"t{n}" for n in range(15)]
    assert not (await peek(queue, queue="other")).blocked


async def test_namespaces_are_neighbours_without_seeing_each_other(queue: QueueServer) -> None:
    """`default`, `default-1` and `default0` sort next to each other."""
    for namespace in ("default", "default-1", "default0"):
        await queue.enqueue(f"in-{namespace}", namespace=namespace, priority=3)
    assert (await peek(queue)).next.task_id == "in-default"
    assert not (await peek(queue)).blocked
