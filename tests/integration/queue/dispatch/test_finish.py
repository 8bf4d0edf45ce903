"""Ends of leases on a real database: fenced, counted once, and repeated without effect."""

import asyncio
from datetime import timedelta

import pytest

from queue_service.domain.ending import Duplicate, Finished, How, Report, Stale, Stored
from queue_service.domain.order import Candidate
from queue_service.domain.registration import Registration
from queue_service.domain.selection import Placement
from queue_service.domain.states import Category, State
from queue_service.store.claims import ClaimStore
from queue_service.store.dispatching import by_index
from queue_service.store.finish import FinishStore
from queue_service.store.sessions import Opened, SessionStore
from service_kit.clock import ManualClock
from service_kit.postgres import Database, engine, raw
from tests.support.queue_rows import broken_rules, fetch, put, set_limits, states, value
from tests.support.waiting import until

TTL = timedelta(hours=1)


class Desk:
    """Claims and ends leases of one executor."""

    def __init__(self, database: Database, clock: ManualClock, who: Opened) -> None:
        self.database = database
        self.clock = clock
        self.who = who
        self.claims = ClaimStore(database)
        self.store = FinishStore(database)

    async def lease(self, *tasks: Candidate) -> list[tuple[int, int]]:
        now = self.clock.now()
        claimed = await self.claims.claim(
            [Placement(task, self.who.executor) for task in tasks],
            {self.who.executor: self.who.session},
            now,
            now + timedelta(seconds=10),
        )
        return [(task.task, claimed.leases[task.task].token) for task in tasks]

    async def finish(self, *reports: Finished) -> list[object]:
        batch = await self.store.finish(reports, self.clock.now())
        assert await broken_rules(self.database) == []
        return list(batch.answers)

    async def again(self, task: int) -> Candidate:
        rows = await fetch(
            self.database,
            "SELECT order_at, id, version, lane, level, cpu, memory FROM queue.tasks WHERE id = $1",
            task,
        )
        return Candidate(*rows[0])


@pytest.fixture
async def desk(queue_database: Database, clock: ManualClock) -> Desk:
    by_index(queue_database.engine)
    await set_limits(queue_database, tasks=1000)
    who = await SessionStore(queue_database).open(
        Registration("default", "a", "instance-1"), "replica", clock.now(), clock.now() + TTL
    )
    return Desk(queue_database, clock, who)


async def test_success_moves_the_task_to_history(desk: Desk) -> None:
    """Task, lease and payload go; history, attempt and trail are written; the counters are 0."""
    (task,) = await put(desk.database, desk.clock.now(), cpu=500, payload=b"{}")
    ((handle, token),) = await desk.lease(task)
    desk.clock.advance(timedelta(seconds=3))
    report = Report(exit_code=0, cpu=120, memory=50, peak_bytes=4096, duration=timedelta(seconds=2))
    assert await desk.finish(Finished(handle, token, How.SUCCEEDED, report=report)) == [
        Stored(State.SUCCEEDED)
    ]
    assert await states(desk.database) == {"t1": "SUCCEEDED"}
    (past,) = await fetch(
        desk.database,
        "SELECT attempts, failures, last_token, last_executor, last_started_at, ended_at FROM queue.history",
    )
    now = desk.clock.now()
    assert tuple(past) == (1, 0, token, "a", now - timedelta(seconds=2), now)
    (attempt,) = await fetch(
        desk.database,
        "SELECT attempt, result, state, cpu, memory, peak_bytes, duration_ms FROM queue.attempts",
    )
    assert tuple(attempt) == (1, 1, 5, 120, 50, 4096, 2000)
    assert await value(desk.database, "SELECT count(*) FROM queue.payloads") == 0
    kinds = await fetch(desk.database, "SELECT kind, state, executor FROM queue.transitions ORDER BY id")
    assert [tuple(row) for row in kinds] == [(2, 3, "a"), (6, 5, "a")]


async def test_repeated_report_is_answered_again_and_changes_nothing(desk: Desk) -> None:
    """Within one batch and later; also when it says something else the second time."""
    tasks = await put(desk.database, desk.clock.now(), 2)
    (one, two) = await desk.lease(*tasks)
    ok, failed = Finished(*one, How.SUCCEEDED), Finished(*one, How.FAILED)
    assert await desk.finish(ok, failed) == [Stored(State.SUCCEEDED), Duplicate(State.SUCCEEDED)]
    assert await desk.finish(failed, Finished(*two, How.FAILED)) == [
        Duplicate(State.SUCCEEDED),
        Stored(State.SCHEDULED),
    ]
    assert await desk.finish(Finished(*two, How.SUCCEEDED)) == [Duplicate(State.SCHEDULED)]
    assert await value(desk.database, "SELECT count(*) FROM queue.attempts") == 2
    assert await value(desk.database, "SELECT count(*) FROM queue.history") == 1


async def test_wrong_tokens_change_nothing(desk: Desk) -> None:
    """A zombie's report of an earlier attempt, a guessed token, an unknown task: all stale."""
    (task,) = await put(desk.database, desk.clock.now())
    (old,) = await desk.lease(task)
    await desk.finish(Finished(*old, How.RETURNED))
    (new,) = await desk.lease(await desk.again(task.task))
    assert new[1] > old[1]
    reports = [
        Finished(*old, How.SUCCEEDED),
        Finished(old[0], new[1] + 1, How.SUCCEEDED),
        Finished(9999, new[1], How.SUCCEEDED),
        Finished(*new, How.SUCCEEDED, executor=desk.who.executor + 1),
    ]
    assert await desk.finish(*reports) == [Stale()] * 4
    assert await states(desk.database) == {"t1": "OFFERED"}
    assert await value(desk.database, "SELECT used_tasks FROM queue.executors") == 1


async def test_repeat_by_another_executor_is_stale(desk: Desk) -> None:
    """Nobody learns from a guessed token that an attempt has ended."""
    (task,) = await put(desk.database, desk.clock.now())
    (lease,) = await desk.lease(task)
    await desk.finish(Finished(*lease, How.SUCCEEDED, executor=desk.who.executor))
    assert await desk.finish(Finished(*lease, How.SUCCEEDED, executor=999)) == [Stale()]


async def test_strangers_report_neither_counts_nor_hides_that_of_the_holder(desk: Desk) -> None:
    """A foreign report that lands first in the same batch takes nothing from the one that runs it."""
    (task,) = await put(desk.database, desk.clock.now())
    (lease,) = await desk.lease(task)
    strange = Finished(*lease, How.FAILED, executor=999)
    real = Finished(*lease, How.SUCCEEDED, executor=desk.who.executor)
    assert await desk.finish(strange, real, strange, real._replace()) == [
        Stale(),
        Stored(State.SUCCEEDED),
        Stale(),
        Duplicate(State.SUCCEEDED),
    ]
    assert await states(desk.database) == {"t1": "SUCCEEDED"}


async def test_failure_waits_and_keeps_its_place(desk: Desk) -> None:
    """`order_at` stays, `run_at` moves by the policy, the version rises, the attempt counts."""
    (task,) = await put(desk.database, desk.clock.now())
    (lease,) = await desk.lease(task)
    desk.clock.advance(timedelta(seconds=5))
    batch = await desk.store.finish(
        [Finished(*lease, How.FAILED, category=Category.EXIT, report=Report(exit_code=2))], desk.clock.now()
    )
    (returned,) = batch.returned
    assert returned.candidate.order_at == task.order_at
    assert returned.candidate.version == task.version + 1
    assert desk.clock.now() < returned.run_at <= desk.clock.now() + timedelta(seconds=1)
    (row,) = await fetch(
        desk.database, "SELECT attempts, failures, losses, last_error, run_at FROM queue.tasks"
    )
    assert tuple(row) == (1, 1, 0, "exit code 2", returned.run_at)
    desk.clock.advance(timedelta(seconds=1))
    ((_, token),) = await desk.lease(returned.candidate)
    assert await value(desk.database, "SELECT attempt FROM queue.leases") == 2
    assert token > lease[1]


async def test_last_failure_leaves_a_dead_letter(desk: Desk) -> None:
    """The payload stays with it for 30 days."""
    (task,) = await put(desk.database, desk.clock.now(), retry_policy="none", payload=b"{}")
    (lease,) = await desk.lease(task)
    report = Report(error="no such \0 file", output_tail="a\0b")
    assert await desk.finish(Finished(*lease, How.FAILED, report=report)) == [Stored(State.DEAD)]
    (row,) = await fetch(desk.database, "SELECT state, failures, last_error FROM queue.history")
    assert tuple(row) == (6, 1, "no such \ufffd file")
    kept = await value(desk.database, "SELECT keep_until FROM queue.payloads")
    assert kept == desk.clock.now() + timedelta(days=30)


async def test_returned_offer_burns_nothing(desk: Desk) -> None:
    """No attempt is written, the counts stay, and it is in its old place at once."""
    (task,) = await put(desk.database, desk.clock.now())
    (lease,) = await desk.lease(task)
    desk.clock.advance(timedelta(seconds=1))
    batch = await desk.store.finish([Finished(*lease, How.RETURNED, detail="busy")], desk.clock.now())
    assert batch.answers == [Stored(State.WAITING)]
    (returned,) = batch.returned
    assert (returned.candidate.order_at, returned.run_at) == (task.order_at, desk.clock.now())
    assert await value(desk.database, "SELECT attempts FROM queue.tasks") == 0
    assert await value(desk.database, "SELECT count(*) FROM queue.attempts") == 0
    assert await value(desk.database, "SELECT detail FROM queue.transitions WHERE kind = 4") == "busy"


async def test_third_loss_buries_the_task(desk: Desk) -> None:
    """A task that kills its executors comes back twice, without a wait, and then never."""
    (task,) = await put(desk.database, desk.clock.now())
    answers: list[object] = []
    for _ in range(3):
        (lease,) = await desk.lease(await desk.again(task.task))
        desk.clock.advance(timedelta(seconds=1))
        answers += await desk.finish(Finished(*lease, How.LOST, detail="executor lost"))
    assert answers == [Stored(State.SCHEDULED), Stored(State.SCHEDULED), Stored(State.DEAD)]
    (row,) = await fetch(
        desk.database, "SELECT attempts, failures, losses, last_error, last_started_at FROM queue.history"
    )
    assert tuple(row) == (3, 0, 3, "executor lost 3 times", None)
    assert await desk.finish(Finished(*lease, How.SUCCEEDED)) == [Stale()], "nobody had reported it"
    results = await fetch(
        desk.database, "SELECT attempt, result, started_at FROM queue.attempts ORDER BY token"
    )
    assert [tuple(row) for row in results] == [(1, 3, None), (2, 3, None), (3, 3, None)]


async def test_cancel_that_was_asked_for_ends_it(desk: Desk) -> None:
    """A failure, a return and a confirmed stop end a task that somebody wanted stopped; success counts."""
    tasks = await put(desk.database, desk.clock.now(), 4)
    leases = await desk.lease(*tasks)
    await fetch(
        desk.database,
        "UPDATE queue.leases SET cancel_at = $1, cancel_actor = 'eve', cancel_grace_ms = 10000",
        desk.clock.now(),
    )
    hows = [How.FAILED, How.RETURNED, How.CANCELLED, How.SUCCEEDED]
    answers = await desk.finish(*(Finished(*lease, how) for lease, how in zip(leases, hows, strict=True)))
    assert answers == [Stored(State.CANCELLED)] * 3 + [Stored(State.SUCCEEDED)]
    actors = await fetch(desk.database, "SELECT DISTINCT state, actor FROM queue.transitions WHERE kind = 6")
    assert sorted(tuple(row) for row in actors) == [(5, ""), (7, "eve")]


async def test_next_of_a_sequence_becomes_ready_with_the_end(desk: Desk) -> None:
    """In the same transaction, whatever the end was; a retry does not let the next one pass."""
    now = desk.clock.now()
    first, _, _ = await put(desk.database, now, 3, sequence="s")
    (lease,) = await desk.lease(first)
    await desk.finish(Finished(*lease, How.FAILED))
    assert await states(desk.database) == {"t1": "WAITING", "t2": "BEHIND", "t3": "BEHIND"}
    desk.clock.advance(timedelta(minutes=1))
    (lease,) = await desk.lease(await desk.again(first.task))
    batch = await desk.store.finish([Finished(*lease, How.FAILED, non_retryable=True)], desk.clock.now())
    assert await states(desk.database) == {"t1": "DEAD", "t2": "WAITING", "t3": "BEHIND"}
    ((candidate, run_at),) = [(each.candidate, each.run_at) for each in batch.returned]
    assert (candidate.version, candidate.order_at, run_at) == (2, now, desk.clock.now())
    assert (await desk.lease(candidate))[0][0] == candidate.task


async def test_an_end_waits_for_the_task_before_it_touches_the_lease(
    desk: Desk, queue_database_url: str
) -> None:
    """The lock order that keeps claims and ends from waiting for each other in a circle."""
    (task,) = await put(desk.database, desk.clock.now())
    (lease,) = await desk.lease(task)
    other = Database(engine(queue_database_url, pool_size=1))
    try:
        async with other.engine.connect() as connection:
            driver = await raw(connection)
            await driver.execute("BEGIN")
            await driver.execute("SELECT FROM queue.tasks FOR UPDATE")
            pending = asyncio.create_task(desk.finish(Finished(*lease, How.SUCCEEDED)))
            await until(
                lambda: value(desk.database, "SELECT count(*) FROM pg_locks WHERE NOT granted"),
                "the end waits for the task",
            )
            await driver.execute("SELECT FROM queue.leases FOR UPDATE NOWAIT")
            await driver.execute("COMMIT")
        assert await pending == [Stored(State.SUCCEEDED)]
    finally:
        await other.close()


async def test_two_replicas_end_the_same_leases_once(desk: Desk, queue_database_url: str) -> None:
    """Every report reaches both; each lease ends by one of them, and nothing deadlocks."""
    tasks = await put(desk.database, desk.clock.now(), 200, cpu=1)
    sequenced = await put(desk.database, desk.clock.now(), 1, prefix="s", sequence="s")
    leases = await desk.lease(*tasks, *sequenced)
    other = Database(by_index(engine(queue_database_url, pool_size=4)))
    try:
        stores = [desk.store, FinishStore(other)]
        batches = await asyncio.gather(
            *(
                store.finish([Finished(*lease, How.SUCCEEDED) for lease in part[::step]], desk.clock.now())
                for store in stores
                for start in range(0, len(leases), 40)
                for part in [leases[start : start + 60]]
                for step in (1, -1)
            )
        )
    finally:
        await other.close()
    stored = [a for batch in batches for a in batch.answers if isinstance(a, Stored)]
    assert len(stored) == 201
    assert sum(batch.released.get(desk.who.executor, (0,))[0] for batch in batches) == 201
    assert await value(desk.database, "SELECT used_tasks + used_cpu FROM queue.executors") == 0
    assert await broken_rules(desk.database) == []


async def test_claims_and_ends_race_without_deadlock(desk: Desk, queue_database_url: str) -> None:
    """Retries come back while others are claimed: in the end every task has ended once."""
    await put(desk.database, desk.clock.now(), 60, retry_policy="aggressive")
    other = Database(by_index(engine(queue_database_url, pool_size=4)))

    async def work(claims: ClaimStore, store: FinishStore) -> None:
        while rows := await fetch(
            desk.database,
            "SELECT order_at, id, version, lane, level, cpu, memory FROM queue.tasks"
            " ORDER BY random() LIMIT 20",
        ):
            now = desk.clock.advance(timedelta(seconds=3))
            claimed = await claims.claim(
                [Placement(Candidate(*row), desk.who.executor) for row in rows],
                {desk.who.executor: desk.who.session},
                now,
                now,
            )
            await store.finish(
                [Finished(lease.task, lease.token, How.FAILED) for lease in claimed.leases.values()], now
            )

    desk.clock.set(desk.clock.now())
    await fetch(desk.database, "UPDATE queue.sessions SET expires_at = 'infinity'")
    try:
        await asyncio.gather(
            work(desk.claims, desk.store),
            work(ClaimStore(other), FinishStore(other)),
            work(desk.claims, desk.store),
        )
    finally:
        await other.close()
    rows = await fetch(
        desk.database, "SELECT attempts, failures, count(*) AS n FROM queue.history GROUP BY 1, 2"
    )
    assert [tuple(row) for row in rows] == [(3, 3, 60)]
    assert await broken_rules(desk.database) == []
