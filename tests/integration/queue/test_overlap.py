"""Due tasks: overlap is judged in the intake transaction, and a verdict is the same when asked for again."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from batonpass.queue.v1 import intake_service_pb2 as pb
from batonpass.queue.v1 import pull_service_pb2, queue_service_pb2, task_pb2

from service_kit.postgres import Database
from tests.support.queue_rows import fetch, value
from tests.support.queue_server import TIMEOUT, QueueServer, due_task, queue_server, reason

SKIP, BUFFER, ALLOW = (
    task_pb2.OVERLAP_POLICY_SKIP,
    task_pb2.OVERLAP_POLICY_BUFFER_ALL,
    task_pb2.OVERLAP_POLICY_ALLOW_ALL,
)
CREATED, DUPLICATE, SKIPPED, REJECTED = (
    pb.VERDICT_CREATED,
    pb.VERDICT_DUPLICATE,
    pb.VERDICT_SKIPPED_OVERLAP,
    pb.VERDICT_REJECTED,
)


async def cancel(queue: QueueServer, task_id: str) -> None:
    await queue.producer.CancelTask(queue_service_pb2.CancelTaskRequest(task_id=task_id), timeout=TIMEOUT)


async def finish(queue: QueueServer, task_id: str) -> None:
    """Runs a task to its good end through the pull API."""
    lease = await queue.pull.LeaseTask(
        pull_service_pb2.LeaseTaskRequest(task_id=task_id, executor="me"), timeout=TIMEOUT
    )
    await queue.pull.CompleteTask(
        pull_service_pb2.CompleteTaskRequest(
            task_id=task_id, lease_token=lease.lease_token, report=task_pb2.AttemptReport()
        ),
        timeout=TIMEOUT,
    )


async def ready(database: Database) -> dict[str, bool]:
    rows = await fetch(database, "SELECT task_id, ready FROM queue.tasks ORDER BY id")
    return {row["task_id"]: row["ready"] for row in rows}


async def test_skip_gives_way_until_the_task_has_ended(queue: QueueServer) -> None:
    assert (await queue.due(due_task("f1")))["f1"].verdict == CREATED
    second = (await queue.due(due_task("f2")))["f2"]
    assert (second.verdict, second.blocking_task_id) == (SKIPPED, "f1")
    await finish(queue, "f1")
    assert (await queue.due(due_task("f3")))["f3"].verdict == CREATED


async def test_a_verdict_is_repeated_whatever_happened_since(queue: QueueServer) -> None:
    await queue.due(due_task("f1"))
    await queue.due(due_task("f2"))
    await finish(queue, "f1")
    again = await queue.due(due_task("f1"), due_task("f2"))
    assert again["f1"].verdict == DUPLICATE
    assert (again["f2"].verdict, again["f2"].blocking_task_id) == (SKIPPED, "f1")


async def test_a_resent_fire_is_not_in_its_own_way(queue: QueueServer) -> None:
    await queue.due(due_task("f1"))
    assert (await queue.due(due_task("f1")))["f1"].verdict == DUPLICATE


async def test_of_fires_in_one_message_the_first_wins(queue: QueueServer) -> None:
    verdicts = await queue.due(due_task("f1"), due_task("f2"), due_task("f3", "other"))
    assert [verdicts[name].verdict for name in ("f1", "f2", "f3")] == [CREATED, SKIPPED, CREATED]


async def test_twenty_streams_on_two_replicas_let_one_fire_through(
    queue: QueueServer, queue_database_url: str
) -> None:
    async with queue_server(queue_database_url) as other:
        answers = await asyncio.gather(
            *((queue, other)[number % 2].due(due_task(f"f{number}")) for number in range(20))
        )
    verdicts = [verdict for answer in answers for verdict in answer.values()]
    assert Counter(each.verdict for each in verdicts) == {CREATED: 1, SKIPPED: 19}
    winner = next(each.task_id for each in verdicts if each.verdict == CREATED)
    assert {each.blocking_task_id for each in verdicts if each.verdict == SKIPPED} == {winner}


async def test_buffered_fires_run_one_after_another_in_the_order_they_came(
    queue: QueueServer, queue_database: Database
) -> None:
    verdicts = await queue.due(*(due_task(f"f{number}", policy=BUFFER) for number in range(3)))
    assert {each.verdict for each in verdicts.values()} == {CREATED}
    await queue.due(due_task("f3", policy=BUFFER))
    assert await ready(queue_database) == {"f0": True, "f1": False, "f2": False, "f3": False}
    await finish(queue, "f0")
    assert await ready(queue_database) == {"f1": True, "f2": False, "f3": False}
    await cancel(queue, "f2")
    assert await ready(queue_database) == {"f1": True, "f3": False}
    await cancel(queue, "f1")
    assert await ready(queue_database) == {"f3": True}


async def test_a_task_behind_another_cannot_be_leased_and_says_why(queue: QueueServer) -> None:
    await queue.due(due_task("f0", policy=BUFFER), due_task("f1", policy=BUFFER))
    assert "'s' is before it" in (await queue.get("f1")).waiting_reason
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await finish(queue, "f1")
    assert reason(refused.value) == ("FAILED_PRECONDITION", "TASK_NOT_WAITING")


async def test_a_line_never_stands_still_whoever_comes_and_goes(
    queue: QueueServer, queue_database: Database
) -> None:
    """Fires join while others leave: whenever nothing is on the move, the first of the line is ready."""
    await queue.due(due_task("f0", policy=BUFFER))
    for number in range(1, 12):
        await asyncio.gather(
            queue.due(due_task(f"f{number}", policy=BUFFER)),
            queue.due(due_task(f"f{number - 1}", policy=BUFFER)),
            cancel(queue, f"f{number - 1}"),
        )
        found = await ready(queue_database)
        assert list(found.values())[:1] in ([], [True])
        assert sum(found.values()) <= 1


async def test_a_key_taken_by_a_producer_does_not_leave_the_line_without_a_leader(
    queue: QueueServer, queue_database: Database
) -> None:
    await queue.enqueue("f0", handler="name:noop")
    verdicts = await queue.due(due_task("f0", policy=BUFFER), due_task("f1", policy=BUFFER))
    assert [verdicts[name].verdict for name in ("f0", "f1")] == [DUPLICATE, CREATED]
    assert (await ready(queue_database))["f1"]


async def test_allow_all_queues_side_by_side(queue: QueueServer, queue_database: Database) -> None:
    await queue.due(*(due_task(f"f{number}", policy=ALLOW) for number in range(3)))
    assert await ready(queue_database) == {"f0": True, "f1": True, "f2": True}
    assert (await queue.due(due_task("f4")))["f4"].verdict == SKIPPED


async def test_schedules_of_other_namespaces_are_not_in_the_way(queue: QueueServer) -> None:
    await queue.due(due_task("f1"))
    assert (await queue.due(due_task("f2", namespace="elsewhere")))["f2"].verdict == CREATED


async def test_a_fire_older_than_task_ids_are_remembered_is_rejected(queue: QueueServer) -> None:
    old = datetime.now(UTC) - timedelta(days=7, seconds=5)
    verdicts = await queue.due(due_task("f1", fired_at=old), due_task("f2", "other"))
    assert verdicts["f1"].verdict == REJECTED
    assert "remembered" in verdicts["f1"].reason
    assert verdicts["f2"].verdict == CREATED


async def test_what_breaks_a_rule_is_rejected_and_the_stream_goes_on(queue: QueueServer) -> None:
    verdicts = await queue.due(
        due_task("large", cpu=99),
        due_task("nameless", handler="name:"),
        due_task("unknown policy", policy=task_pb2.OVERLAP_POLICY_UNSPECIFIED),
        due_task("fine", "other"),
    )
    assert {name: each.verdict for name, each in verdicts.items()} == {
        "large": REJECTED,
        "nameless": REJECTED,
        "unknown policy": REJECTED,
        "fine": CREATED,
    }
    assert all(each.reason for each in verdicts.values() if each.verdict == REJECTED)


async def test_a_different_body_under_a_known_fire_is_rejected(queue: QueueServer) -> None:
    await queue.due(due_task("f1"))
    verdict = (await queue.due(due_task("f1", priority=9)))["f1"]
    assert verdict.verdict == REJECTED
    assert "different body" in verdict.reason


async def test_a_message_without_tasks_ends_the_stream(queue: QueueServer) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await queue.due()
    assert reason(refused.value)[0] == "INVALID_ARGUMENT"


async def test_a_fire_that_was_kept_out_is_no_task(queue: QueueServer, queue_database: Database) -> None:
    await queue.due(due_task("f1"), due_task("f2"))
    assert await value(queue_database, "SELECT count(*) FROM queue.tasks") == 1
    with pytest.raises(grpc.aio.AioRpcError) as missing:
        await queue.get("f2")
    assert reason(missing.value) == ("NOT_FOUND", "TASK_NOT_FOUND")


async def test_many_messages_are_answered_in_order(queue: QueueServer) -> None:
    async def requests():  # type: ignore[no-untyped-def]
        for number in range(30):
            yield pb.StreamDueTasksRequest(tasks=[due_task(f"f{number}", f"s{number % 3}")])

    stream = queue.intake.StreamDueTasks(requests(), timeout=TIMEOUT)
    answers = [response.verdicts[0] async for response in stream]
    assert [answer.task_id for answer in answers] == [f"f{number}" for number in range(30)]
    assert [answer.verdict for answer in answers] == [CREATED] * 3 + [SKIPPED] * 27
    assert {answer.blocking_task_id for answer in answers[3:]} == {"f0", "f1", "f2"}
