"""Holds: set by sources in versions; while they last nothing that they select starts."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from batonpass.queue.v1 import hold_pb2, pull_service_pb2, queue_service_pb2, task_pb2
from batonpass.queue.v1 import intake_service_pb2 as pb

from queue_service.app.maintenance import Maintenance, Retention
from queue_service.domain.holds import Hold
from queue_service.store.holds import HoldStore
from queue_service.store.maintenance import MaintenanceStore
from service_kit.clock import ManualClock
from service_kit.postgres import Database
from tests.support.agent import CANCELLED, FAILED, SUCCEEDED, Agent, ref, refs
from tests.support.dispatch import replica
from tests.support.queue_rows import broken_rules, fetch, put, states, value
from tests.support.queue_server import (
    METADATA,
    TIMEOUT,
    QueueServer,
    fields,
    queue_server,
    reason,
    timestamp,
)
from tests.support.waiting import until

SECOND = timedelta(seconds=1)


@pytest.fixture
async def agent(queue: QueueServer) -> AsyncIterator[Agent]:
    """Runs `noop` and `other`; beats."""
    async with Agent(queue.address, handlers=["noop", "other"]) as connected:
        await connected.connect(credit=10, beats=True)
        yield connected


def hold(lasts: timedelta = timedelta(hours=1), *, begins: timedelta = -SECOND, **more: Any) -> hold_pb2.Hold:
    """One that is in force from a second ago on."""
    now = datetime.now(UTC)
    return hold_pb2.Hold(from_time=timestamp(now + begins), until_time=timestamp(now + lasts), **more)


async def set_holds(
    queue: QueueServer, version: int, *holds: hold_pb2.Hold, source: str = "calendar/c", known: bool = True
) -> int:
    """The version in force; with `known` after the replica has learned of it."""
    request = pb.SetHoldsRequest(namespace="default", source=source, version=version, holds=holds)
    answer = await queue.intake.SetHolds(request, timeout=TIMEOUT, metadata=METADATA)
    if known:
        await queue.queue._dispatch.holds.step()
    return int(answer.version)


async def listed(queue: QueueServer) -> list[hold_pb2.Hold]:
    answer = await queue.producer.ListHolds(
        queue_service_pb2.ListHoldsRequest(), timeout=TIMEOUT, metadata=METADATA
    )
    return list(answer.holds)


async def lease(queue: QueueServer, task_id: str = "") -> pull_service_pb2.LeaseTaskResponse:
    answer: pull_service_pb2.LeaseTaskResponse = await queue.pull.LeaseTask(
        pull_service_pb2.LeaseTaskRequest(task_id=task_id, executor="me"), timeout=TIMEOUT
    )
    return answer


async def test_what_is_held_starts_at_the_end_of_the_hold_without_a_poke(
    queue: QueueServer, queue_database: Database, agent: Agent
) -> None:
    until_then = datetime.now(UTC) + SECOND
    await set_holds(queue, 1, hold(SECOND, reason="closed"))
    await queue.enqueue("t", handler="name:noop")
    why = (await queue.get("t")).waiting_reason
    assert why.startswith("held by blackout calendar/c until ")
    assert why.endswith(": closed")
    (offer,) = await agent.offers(1)
    assert offer.task_id == "t"
    assert await value(queue_database, "SELECT offered_at FROM queue.leases") >= until_then


async def test_a_hold_to_come_begins_by_itself(queue: QueueServer, agent: Agent) -> None:
    await set_holds(queue, 1, hold(timedelta(hours=2), begins=timedelta(hours=1)))
    await queue.enqueue("before", handler="name:noop")
    (offer,) = await agent.offers(1)
    await agent.finish([ref(offer)], SUCCEEDED)
    await set_holds(queue, 2, hold(begins=timedelta(milliseconds=200)))
    await until(lambda: _is_held(queue), "the hold to begin")
    await queue.enqueue("inside", handler="name:noop")
    assert await agent.silent("offers")
    assert "held by" in (await queue.get("inside")).waiting_reason


async def _is_held(queue: QueueServer) -> bool:
    return queue.queue._dispatch.holds.now().count == 1


async def test_others_are_served_past_any_number_that_is_held(
    queue: QueueServer, queue_database: Database, agent: Agent
) -> None:
    """Those of other queues and handlers, and those that are urgent enough, by a boost too."""
    await set_holds(queue, 1, hold(queue="batch", handler="name:noop", allow_priority=9))
    for number in range(30):
        await queue.enqueue(f"held-{number}", queue="batch", handler="name:noop", priority=8)
    await queue.enqueue("elsewhere", handler="name:noop", priority=1)
    await queue.enqueue("otherwise", queue="batch", handler="name:other", priority=1)
    await queue.enqueue("urgent", queue="batch", handler="name:noop", priority=9)
    assert {offer.task_id for offer in await agent.offers(3)} == {"elsewhere", "otherwise", "urgent"}
    await queue.producer.ReprioritizeTask(
        queue_service_pb2.ReprioritizeTaskRequest(task_id="held-7", queue="batch", priority=9),
        timeout=TIMEOUT,
    )
    assert [offer.task_id for offer in await agent.offers(1)] == ["held-7"]
    assert await offered(queue_database) == 4


async def offered(database: Database) -> int:
    """How many leases there have been."""
    return int(await value(database, "SELECT sum(cardinality(tasks)) FROM queue.transitions WHERE kind = 2"))


async def test_order_and_age_are_kept(queue: QueueServer, queue_database: Database, agent: Agent) -> None:
    await set_holds(queue, 1, hold())
    for name in ("a", "b", "c"):
        await queue.enqueue(name, handler="name:noop")
    before = await fetch(queue_database, "SELECT id, order_at, version FROM queue.tasks ORDER BY id")
    await set_holds(queue, 2)
    assert [offer.task_id for offer in await agent.offers(3)] == ["a", "b", "c"]
    assert await fetch(queue_database, "SELECT id, order_at, version FROM queue.tasks ORDER BY id") == before


async def test_a_retry_inside_a_hold_waits_for_its_end(
    queue: QueueServer, queue_database: Database, agent: Agent
) -> None:
    await queue.enqueue("t", handler="name:noop", retry_policy="aggressive")
    (offer,) = await agent.offers(1)
    await agent.accept([ref(offer)])
    await set_holds(queue, 1, hold())
    await agent.finish([ref(offer)], FAILED)
    await until(lambda: _waits(queue, "t"), "the retry wait to end")
    assert await agent.silent("offers")
    await set_holds(queue, 2)
    assert [offer.attempt for offer in await agent.offers(1)] == [2]
    assert await offered(queue_database) == 2


async def _waits(queue: QueueServer, task_id: str) -> bool:
    return (await queue.get(task_id)).state == task_pb2.TASK_STATE_WAITING


async def test_a_pull_client_gets_nothing_that_is_held(queue: QueueServer) -> None:
    await queue.enqueue("t")
    await set_holds(queue, 1, hold())
    for name, why in (("", ("NOT_FOUND", "NO_TASK")), ("t", ("FAILED_PRECONDITION", "TASK_NOT_WAITING"))):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await lease(queue, name)
        assert reason(refused.value) == why
        assert "held by blackout" in str(refused.value.details()) or not name
    peeked = await queue.pull.PeekTasks(pull_service_pb2.PeekTasksRequest(), timeout=TIMEOUT)
    assert not peeked.next.task_id
    assert "held by blackout" in peeked.blocked[0].waiting_reason
    await set_holds(queue, 2)
    assert (await lease(queue)).task.task_id == "t"


async def test_an_offer_without_an_answer_is_taken_back_when_a_hold_begins(
    queue: QueueServer, queue_database: Database, agent: Agent
) -> None:
    await queue.enqueue("t", handler="name:noop")
    (offer,) = await agent.offers(1)
    await set_holds(queue, 1, hold())
    assert refs((await agent.expect("revoke")).leases) == [ref(offer)]
    await agent.say(revoke_ack={"leases": [{"task": offer.task, "lease_token": offer.lease_token}]})
    await until(lambda: _waits(queue, "t"), "the task to come back")
    found = await queue.get("t")
    assert (found.attempt, list(found.attempts)) == (1, [])
    assert await agent.silent("offers")
    detail = await value(queue_database, "SELECT detail FROM queue.transitions WHERE kind = 4")
    assert detail.startswith("held by blackout calendar/c")


async def test_what_was_accepted_inside_a_hold_goes_back_with_no_attempt_burnt(
    queue: QueueServer, queue_database: Database, agent: Agent
) -> None:
    """Only when the agent has said that it has stopped, so that nobody else runs it meanwhile."""
    await queue.enqueue("t", handler="name:noop")
    (offer,) = await agent.offers(1)
    await set_holds(queue, 1, hold())
    await agent.accept([ref(offer)])
    assert refs((await agent.expect("cancel")).leases) == [ref(offer)]
    assert await states(queue_database) == {"t": "OFFERED"}
    await agent.finish([ref(offer)], CANCELLED)
    await agent.acknowledged(1)
    found = await queue.get("t")
    assert (found.state, found.attempt) == (task_pb2.TASK_STATE_WAITING, 1)
    assert not found.attempts
    assert await value(queue_database, "SELECT count(*) FROM queue.transitions WHERE kind = 3") == 0
    assert not await broken_rules(queue_database)


async def test_work_that_runs_already_is_left_alone(
    queue: QueueServer, queue_database: Database, agent: Agent
) -> None:
    await queue.enqueue("t", handler="name:noop")
    (offer,) = await agent.offers(1)
    await agent.accept([ref(offer)])
    await until(lambda: _runs(queue, "t"), "the task to run")
    await set_holds(queue, 1, hold())
    assert await agent.silent("revoke")
    assert await agent.silent("cancel")
    await agent.finish([ref(offer)])
    await agent.acknowledged(1)
    assert await states(queue_database) == {"t": "SUCCEEDED"}


async def _runs(queue: QueueServer, task_id: str) -> bool:
    return (await queue.get(task_id)).state == task_pb2.TASK_STATE_RUNNING


async def test_only_a_newer_version_replaces_the_holds_of_a_source(
    queue: QueueServer, queue_database: Database
) -> None:
    first, second = hold(queue="a", allow_priority=9, reason="r"), hold(handler="name:x")
    assert await set_holds(queue, 5, first) == 5
    assert await set_holds(queue, 5, second) == 5
    assert await set_holds(queue, 4) == 5
    assert await set_holds(queue, 1, second, source="calendar/d") == 1
    first.source, second.source = "calendar/c", "calendar/d"
    assert await listed(queue) == [first, second]
    assert await set_holds(queue, 6) == 6
    assert await listed(queue) == [second]
    rows = await fetch(queue_database, "SELECT actor, action, detail FROM queue.actions ORDER BY id")
    assert [tuple(row.values()) for row in rows] == [
        ("tester", "set holds", "calendar/c version 5: 1 holds"),
        ("tester", "set holds", "calendar/d version 1: 1 holds"),
        ("tester", "set holds", "calendar/c version 6: 0 holds"),
    ]


async def test_other_replicas_learn_of_it(queue: QueueServer, queue_database_url: str) -> None:
    async with queue_server(queue_database_url) as other:
        await set_holds(queue, 1, hold(), known=False)
        await until(lambda: _is_held(other), "the other replica to know")


async def test_a_replica_reads_the_holds_before_it_claims_anything(queue_database_url: str) -> None:
    async with replica(queue_database_url) as one, Agent(one.address) as agent:
        await one.stop_loops()
        now, database = one.clock.now(), one.databases.finish
        await HoldStore(database).replace(
            "default", "s", 1, [Hold("default", "s", now, now + 60 * SECOND)], "", now
        )
        await put(database, now)
        await agent.connect(credit=1)
        one.dispatch.holds._versions = None
        await one.dispatch.dispatcher.step()
        assert await states(database) == {"t1": "WAITING"}
        assert await value(database, "SELECT count(*) FROM queue.transitions WHERE kind = 2") == 0


async def test_status_counts_what_is_held(queue: QueueServer) -> None:
    await set_holds(queue, 1, hold(queue="batch", allow_priority=9))
    await queue.enqueue("a", queue="batch")
    await queue.enqueue("b", queue="batch", priority=9)
    await queue.enqueue("c")
    for name, held in (("", 1), ("batch", 1), ("default", 0)):
        request = queue_service_pb2.GetQueueStatusRequest(queue=name)
        assert (await queue.producer.GetQueueStatus(request, timeout=TIMEOUT)).held == held


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (hold(-2 * SECOND), "holds[0].until_time"),
        (hold(handler="report"), "holds[0].handler"),
        (hold(queue="a\0"), "holds[0].queue"),
        (hold(allow_priority=11), "holds[0].allow_priority"),
    ],
)
async def test_what_is_no_hold_is_refused(queue: QueueServer, wrong: hold_pb2.Hold, field: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await set_holds(queue, 1, wrong, known=False)
    assert (reason(refused.value)[0], fields(refused.value)) == ("INVALID_ARGUMENT", [field])


async def test_holds_that_are_over_are_forgotten_but_not_their_version(
    queue: QueueServer, queue_database: Database
) -> None:
    await set_holds(queue, 3, hold(timedelta(milliseconds=1)), hold())
    clock = ManualClock(datetime.now(UTC) + SECOND)
    maintenance = Maintenance(MaintenanceStore(queue_database), clock, Retention())

    async def forgotten() -> bool:
        # The service's own housekeeping may have the row in its hands.
        await maintenance.step()
        return bool(await value(queue_database, "SELECT count(*) FROM queue.holds") == 1)

    await until(forgotten, "the hold that is over is forgotten")
    assert await set_holds(queue, 2) == 3
