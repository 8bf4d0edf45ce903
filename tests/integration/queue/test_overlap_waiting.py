"""Due tasks that wait for what is in their way, or end it."""

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
from batonpass.queue.v1 import intake_service_pb2 as pb
from batonpass.queue.v1 import pull_service_pb2, queue_service_pb2, task_pb2

from queue_service.domain.ending import Finished, How
from queue_service.store.finish import FinishStore
from service_kit.clock import ManualClock
from service_kit.postgres import Database
from tests.support.agent import CANCELLED, Agent, ref, refs
from tests.support.queue_rows import broken_rules, fetch, put, states
from tests.support.queue_server import TIMEOUT, QueueServer, due_task
from tests.support.waiting import until

SKIP, ONE, ALL, CANCEL, TERMINATE, ALLOW = (
    task_pb2.OVERLAP_POLICY_SKIP,
    task_pb2.OVERLAP_POLICY_BUFFER_ONE,
    task_pb2.OVERLAP_POLICY_BUFFER_ALL,
    task_pb2.OVERLAP_POLICY_CANCEL_OTHER,
    task_pb2.OVERLAP_POLICY_TERMINATE_OTHER,
    task_pb2.OVERLAP_POLICY_ALLOW_ALL,
)
CREATED, DUPLICATE, SKIPPED = pb.VERDICT_CREATED, pb.VERDICT_DUPLICATE, pb.VERDICT_SKIPPED_OVERLAP


async def lease(queue: QueueServer, task_id: str) -> int:
    """Starts a task through the pull API; the token."""
    answer = await queue.pull.LeaseTask(
        pull_service_pb2.LeaseTaskRequest(task_id=task_id, executor="me"), timeout=TIMEOUT
    )
    return int(answer.lease_token)


async def complete(queue: QueueServer, task_id: str, token: int) -> None:
    await queue.pull.CompleteTask(
        pull_service_pb2.CompleteTaskRequest(
            task_id=task_id, lease_token=token, report=task_pb2.AttemptReport()
        ),
        timeout=TIMEOUT,
    )


async def running(queue: QueueServer, agent: Agent, name: str) -> tuple[int, int]:
    """A fire that the agent runs; its lease."""
    await queue.due(due_task(name, policy=ALLOW))
    (offer,) = await agent.offers(1)
    await agent.accept([ref(offer)])
    await until(lambda: _runs(queue, name), "the task to run")
    return ref(offer)


async def _runs(queue: QueueServer, name: str) -> bool:
    return (await queue.get(name)).state == task_pb2.TASK_STATE_RUNNING


async def trail(database: Database, kind: int) -> list[dict[str, Any]]:
    rows = await fetch(
        database,
        "SELECT actor, detail, cardinality(tasks) AS tasks FROM queue.transitions WHERE kind = $1"
        " ORDER BY id",
        kind,
    )
    return [dict(row) for row in rows]


async def test_buffer_one_keeps_the_first_that_waits(queue: QueueServer, queue_database: Database) -> None:
    verdicts = await queue.due(*(due_task(name, policy=ONE) for name in ("a", "b", "c")))
    assert [verdicts[name].verdict for name in "abc"] == [CREATED, CREATED, SKIPPED]
    assert verdicts["c"].blocking_task_id == "b"
    await complete(queue, "a", await lease(queue, "a"))
    assert await states(queue_database) == {"b": "WAITING", "a": "SUCCEEDED"}
    assert (await queue.due(due_task("d", policy=ONE)))["d"].verdict == CREATED
    assert (await queue.due(due_task("e", policy=ONE)))["e"].blocking_task_id == "d"


async def test_what_waits_waits_for_all_in_its_way_and_however_they_came(
    queue: QueueServer, queue_database: Database
) -> None:
    """Also in another queue, and not for those that came later."""
    await queue.due(due_task("a", policy=SKIP), due_task("b", policy=ALLOW, queue="other"))
    await queue.due(due_task("waits", policy=ONE), due_task("later", policy=ALLOW))
    await complete(queue, "a", await lease(queue, "a"))
    assert (await states(queue_database))["waits"] == "BEHIND"
    await queue.producer.CancelTask(
        queue_service_pb2.CancelTaskRequest(task_id="b", queue="other"), timeout=TIMEOUT
    )
    found = await states(queue_database)
    assert (found["waits"], found["later"]) == ("WAITING", "WAITING")


async def test_cancel_other_ends_what_waits_and_asks_what_runs(
    queue: QueueServer, queue_database: Database
) -> None:
    async with Agent(queue.address) as agent:
        await agent.connect(credit=2, beats=True)
        held = await running(queue, agent, "runs")
        await queue.due(due_task("waits", policy=ALL))
        assert (await queue.due(due_task("new", policy=CANCEL)))["new"].verdict == CREATED
        message = await agent.expect("cancel")
        assert (refs(message.leases), message.grace.seconds) == ([held], 10)
        assert await states(queue_database) == {"runs": "RUNNING", "new": "BEHIND", "waits": "CANCELLED"}
        said = {"actor": "schedule s", "detail": "replaced by new", "tasks": 1}
        assert await trail(queue_database, 8) == [said]
        assert await trail(queue_database, 6) == [said]
        await agent.finish([held], CANCELLED)
        (offer,) = await agent.offers(1)
        assert offer.task_id == "new"
        assert not await broken_rules(queue_database)


async def test_terminate_other_leaves_no_grace_also_after_a_cancel(
    queue: QueueServer, queue_database: Database
) -> None:
    """The replacement that waited is replaced too; the run is asked again, since it has less time now."""
    async with Agent(queue.address) as agent:
        await agent.connect(credit=1, beats=True)
        held = await running(queue, agent, "runs")
        await queue.due(due_task("first", policy=CANCEL))
        await agent.expect("cancel")
        await queue.due(due_task("second", policy=TERMINATE))
        message = await agent.expect("cancel")
        assert (refs(message.leases), message.grace.ToTimedelta()) == ([held], timedelta(0))
        await queue.due(due_task("third", policy=CANCEL))
        assert await agent.silent("cancel")
        found = await states(queue_database)
        assert found == {"runs": "RUNNING", "third": "BEHIND", "first": "CANCELLED", "second": "CANCELLED"}


async def test_a_pull_lease_in_the_way_is_taken_away(queue: QueueServer, queue_database: Database) -> None:
    await queue.due(due_task("a", policy=ALLOW))
    await lease(queue, "a")
    await queue.due(due_task("new", policy=CANCEL))
    assert await states(queue_database) == {"new": "WAITING", "a": "CANCELLED"}
    assert not await broken_rules(queue_database)


async def test_of_fires_in_one_message_the_last_replaces_the_others(
    queue: QueueServer, queue_database: Database
) -> None:
    verdicts = await queue.due(*(due_task(name, policy=CANCEL) for name in ("a", "b", "c")))
    assert {each.verdict for each in verdicts.values()} == {CREATED}
    assert await states(queue_database) == {"c": "WAITING", "a": "CANCELLED", "b": "CANCELLED"}
    assert [each["detail"] for each in await trail(queue_database, 6)] == ["replaced by b", "replaced by c"]


async def test_a_verdict_sent_again_cancels_nothing(queue: QueueServer, queue_database: Database) -> None:
    await queue.due(due_task("a", policy=ALLOW))
    await queue.due(due_task("new", policy=CANCEL))
    await queue.due(due_task("later", policy=ALLOW))
    again = await queue.due(due_task("new", policy=CANCEL))
    assert again["new"].verdict == DUPLICATE
    assert await states(queue_database) == {"new": "WAITING", "later": "WAITING", "a": "CANCELLED"}


async def test_a_fire_that_is_rejected_cancels_nothing(queue: QueueServer, queue_database: Database) -> None:
    await queue.due(due_task("a", policy=ALLOW))
    rejected = (await queue.due(due_task("new", policy=TERMINATE, cpu=99)))["new"]
    assert rejected.verdict == pb.VERDICT_REJECTED
    assert await states(queue_database) == {"a": "WAITING"}


async def test_whoever_leaves_while_others_line_up_lets_them_go_on(
    queue: QueueServer, queue_database: Database
) -> None:
    """Tasks that are in no sequence end while a fire lines up behind them."""
    for number in range(12):
        schedule = f"s{number}"
        await queue.due(due_task(f"a{number}", schedule, ALLOW))
        token = await lease(queue, f"a{number}")
        await asyncio.gather(
            queue.due(due_task(f"b{number}", schedule, (ONE, ALL, CANCEL)[number % 3])),
            complete(queue, f"a{number}", token),
            return_exceptions=True,
        )
        assert (await states(queue_database))[f"b{number}"] == "WAITING"
    assert not await broken_rules(queue_database)


async def test_an_end_that_began_before_somebody_lined_up_behind_it_lets_that_go_on(
    queue_database: Database, queue_database_url: str, clock: ManualClock
) -> None:
    """The end has looked for sequences already and waits for the task's row; then the task is in one."""
    (task,) = await put(queue_database, clock.now(), schedule="s")
    token = 7
    await fetch(
        queue_database,
        "WITH e AS (INSERT INTO queue.executors (namespace, name, pull, seen_at, used_tasks)"
        " VALUES ('default', 'e', true, $2, 1) RETURNING id)"
        " INSERT INTO queue.leases"
        " (task, token, executor, attempt, cpu, memory, state, offered_at, expires_at)"
        " SELECT $1, $3, id, 1, 0, 0, 2, $2, $2 FROM e",
        task.task,
        clock.now(),
        token,
    )
    other = await asyncpg.connect(queue_database_url)
    try:
        async with other.transaction():
            await other.execute("SELECT FROM queue.tasks WHERE id = $1 FOR UPDATE", task.task)
            report = Finished(task.task, token, How.SUCCEEDED)
            end = asyncio.create_task(FinishStore(queue_database).finish([report], clock.now()))
            await until(lambda: _is_blocked(other), "the end to wait for the task")
            await other.execute("UPDATE queue.tasks SET sequence_key = 's' WHERE id = $1", task.task)
            await put(queue_database, clock.now(), prefix="b", schedule="s", sequence="s", ready=False)
        assert [each.candidate.task for each in (await end).returned] == [task.task + 1]
    finally:
        await other.close()
    assert await states(queue_database) == {"b1": "WAITING", "t1": "SUCCEEDED"}


async def _is_blocked(connection: asyncpg.Connection) -> bool:
    found = await connection.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
    return bool(found)
