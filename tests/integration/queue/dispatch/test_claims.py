"""Claims on a real database: who gets what, and never more than the limits in force."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from queue_service.domain.order import Candidate
from queue_service.domain.registration import Registration
from queue_service.domain.selection import Placement
from queue_service.store.claims import ClaimStore, OverLimit, PullLease, Taken
from queue_service.store.dispatching import by_index
from queue_service.store.sessions import Opened, SessionStore
from service_kit.clock import ManualClock
from service_kit.postgres import Database, engine
from tests.support.queue_rows import broken_rules, fetch, pull_executor, put, set_limits, value
from tests.support.waiting import until

TTL = timedelta(seconds=15)


@pytest.fixture
def claims(queue_database: Database) -> ClaimStore:
    by_index(queue_database.engine)
    return ClaimStore(queue_database)


async def opened(database: Database, now: datetime, name: str = "a", instance: str = "instance-1") -> Opened:
    return await SessionStore(database).open(
        Registration("default", name, instance, handlers=("noop",)), "replica", now, now + TTL
    )


async def claim(
    claims: ClaimStore, who: Opened, tasks: Sequence[Candidate], now: datetime
) -> tuple[list[int], frozenset[int]]:
    claimed = await claims.claim(
        [Placement(task, who.executor) for task in tasks],
        {who.executor: who.session},
        now,
        now + timedelta(seconds=10),
    )
    return sorted(claimed.leases), claimed.refused


async def test_claim_leases_counts_and_records(
    queue_database: Database, claims: ClaimStore, clock: ManualClock
) -> None:
    """A lease, the use of its executor and the audit trail are written together."""
    who = await opened(queue_database, clock.now())
    tasks = await put(queue_database, clock.now(), 3, cpu=1000, memory=2000, payload=b"{}")
    claimed = await claims.claim(
        [Placement(task, who.executor) for task in tasks],
        {who.executor: who.session},
        clock.now(),
        clock.now() + timedelta(seconds=10),
    )
    lease = claimed.leases[tasks[0].task]
    assert (lease.task_id, lease.attempt, lease.chain, lease.payload) == ("t1", 1, 1, b"{}")
    used = await fetch(queue_database, "SELECT used_tasks, used_cpu, used_memory FROM queue.executors")
    assert tuple(used[0]) == (3, 3000, 6000)
    trail = await fetch(queue_database, "SELECT kind, state, tasks, executor FROM queue.transitions")
    assert [tuple(row) for row in trail] == [(2, 3, [task.task for task in tasks], "a")]
    assert await broken_rules(queue_database) == []


async def test_long_payload_stays_apart(
    queue_database: Database, claims: ClaimStore, clock: ManualClock
) -> None:
    """A batch of claims stays small in memory, however large the payloads are."""
    who = await opened(queue_database, clock.now())
    (task,) = await put(queue_database, clock.now(), payload=b"x" * 5000)
    claimed = await claims.claim(
        [Placement(task, who.executor)], {who.executor: who.session}, clock.now(), clock.now()
    )
    assert claimed.leases[task.task].payload is None
    assert claimed.leases[task.task].payload_is_apart
    assert await claims.payloads([task.task]) == {task.task: b"x" * 5000}


async def test_stale_candidates_are_not_won(
    queue_database: Database, claims: ClaimStore, clock: ManualClock
) -> None:
    """Leased, changed, ended, delayed and held-back tasks are left out of a claim; the rest is won."""
    now = clock.now()
    await set_limits(queue_database, tasks=100)
    who = await opened(queue_database, now)
    good, leased, changed, ended = await put(queue_database, now, 4)
    (delayed,) = await put(queue_database, now, prefix="d", run_at=now + timedelta(seconds=1))
    _, behind = await put(queue_database, now, 2, prefix="s", sequence="s")
    assert await claim(claims, who, [leased], now) == ([leased.task], frozenset())
    await fetch(queue_database, "UPDATE queue.tasks SET version = 2 WHERE id = $1", changed.task)
    await fetch(queue_database, "DELETE FROM queue.tasks WHERE id = $1", ended.task)
    won, refused = await claim(claims, who, [good, leased, changed, ended, delayed, behind], now)
    assert (won, refused) == ([good.task], frozenset())
    assert await broken_rules(queue_database) == []


async def test_limit_in_force_refuses_the_whole_batch(
    queue_database: Database, claims: ClaimStore, clock: ManualClock
) -> None:
    """An executor that lacks room for its batch gets nothing; the other one of the same claim is served."""
    now = clock.now()
    a, b = await opened(queue_database, now, "a"), await opened(queue_database, now, "b")
    tasks = await put(queue_database, now, 3, cpu=4000)
    placements = [Placement(task, who.executor) for task, who in zip(tasks, (a, a, b), strict=True)]
    await fetch(queue_database, "UPDATE queue.executors SET max_cpu = 7900 WHERE id = $1", a.executor)
    claimed = await claims.claim(placements, {a.executor: a.session, b.executor: b.session}, now, now)
    assert (list(claimed.leases), claimed.refused) == ([tasks[2].task], {a.executor})
    assert await broken_rules(queue_database) == []


async def test_use_may_equal_the_limit(
    queue_database: Database, claims: ClaimStore, clock: ManualClock
) -> None:
    """80 % of 80 % fits; a task that declares nothing is not held back by a resource that is overdrawn."""
    now = clock.now()
    who = await opened(queue_database, now)
    full = await put(queue_database, now, 2, cpu=4000)
    assert (await claim(claims, who, full, now))[0] == [task.task for task in full]
    await set_limits(queue_database, cpu=1000)
    (idle,) = await put(queue_database, now, prefix="idle")
    (small,) = await put(queue_database, now, prefix="small", cpu=1)
    assert (await claim(claims, who, [small], now))[1] == {who.executor}
    assert (await claim(claims, who, [idle], now))[0] == [idle.task]


@pytest.mark.parametrize("what", ["superseded", "detached", "expired"])
async def test_only_the_current_session_is_given_work(
    queue_database: Database, claims: ClaimStore, clock: ManualClock, what: str
) -> None:
    """A session that was replaced, that is being wound up, or that has run out is refused."""
    who = await opened(queue_database, clock.now())
    (task,) = await put(queue_database, clock.now())
    if what == "superseded":
        await opened(queue_database, clock.now(), instance="instance-2")
    elif what == "detached":
        await SessionStore(queue_database).detach(who.session)
    else:
        clock.advance(TTL)
    assert await claim(claims, who, [task], clock.now()) == ([], frozenset({who.executor}))
    assert await broken_rules(queue_database) == []


async def test_racing_claims_never_share_a_task_nor_pass_a_limit(
    queue_database: Database, queue_database_url: str, clock: ManualClock
) -> None:
    """Two replicas with the same buffer, and a pull client, race for the same tasks and the same slots."""
    now = clock.now()
    await set_limits(queue_database, tasks=10)
    tasks = await put(queue_database, now, 60)
    a, b = await opened(queue_database, now, "a"), await opened(queue_database, now, "b")
    operator = await pull_executor(queue_database, now)
    others = [Database(by_index(engine(queue_database_url, pool_size=4))) for _ in range(2)]
    try:
        replicas = [ClaimStore(database) for database in others]
        outcomes = await asyncio.gather(
            *(
                claim(replica, who, tasks[start : start + 4], now)
                for start in range(0, 60, 3)
                for replica, who in ((replicas[0], a), (replicas[1], b), (replicas[1], a))
            ),
            *(
                replicas[0].claim_pull(operator, [(task.task, task.version)], now, now + TTL)
                for task in tasks[::4]
            ),
        )
    finally:
        for database in others:
            await database.close()
    leased = await fetch(queue_database, "SELECT executor, count(*) AS n FROM queue.leases GROUP BY 1")
    won = [o for o in outcomes if isinstance(o, PullLease)]
    agents = [
        task for o in outcomes if isinstance(o, tuple) and not isinstance(o, PullLease) for task in o[0]
    ]
    assert len(agents) == len(set(agents))
    assert not set(agents) & {lease.task for lease in won}
    assert all(row["n"] <= 10 for row in leased)
    assert sum(row["n"] for row in leased) == len(agents) + len(won) > 20
    assert await broken_rules(queue_database) == []


async def test_lowered_limit_holds_from_its_commit_on(
    queue_database: Database, queue_database_url: str, clock: ManualClock
) -> None:
    """A claim that began under the old default of the namespace sees the new one once it has the lock."""
    now = clock.now()
    who = await opened(queue_database, now)
    tasks = await put(queue_database, now, 2)
    other = Database(engine(queue_database_url, pool_size=1))
    try:
        async with other.engine.connect() as connection:
            driver = (await connection.get_raw_connection()).driver_connection
            assert driver is not None
            await driver.execute("BEGIN")
            await driver.execute("SELECT FROM queue.executors FOR NO KEY UPDATE")
            await driver.execute("INSERT INTO queue.settings (namespace, max_tasks) VALUES ('default', 1)")
            pending = asyncio.create_task(claim(ClaimStore(queue_database), who, tasks, now))
            await until(
                lambda: value(queue_database, "SELECT count(*) FROM pg_locks WHERE NOT granted"),
                "the claim waits for its executor",
            )
            await driver.execute("COMMIT")
        assert await pending == ([], frozenset({who.executor}))
    finally:
        await other.close()


async def test_limits_change_between_claims_only(
    queue_database: Database, queue_database_url: str, clock: ManualClock
) -> None:
    """UpdateLimits waits for a claim that has looked at the old limits already."""
    await opened(queue_database, clock.now())
    other = Database(engine(queue_database_url, pool_size=1))
    try:
        async with other.engine.connect() as connection:
            driver = (await connection.get_raw_connection()).driver_connection
            assert driver is not None
            await driver.execute("BEGIN")
            await driver.execute("SELECT FROM queue.executors FOR NO KEY UPDATE")
            pending = asyncio.create_task(set_limits(queue_database, tasks=1))
            await until(
                lambda: value(queue_database, "SELECT count(*) FROM pg_locks WHERE NOT granted"),
                "the change waits for the claim",
            )
            assert not pending.done()
            await driver.execute("COMMIT")
        await pending
    finally:
        await other.close()


async def test_pull_takes_the_first_that_is_there(
    queue_database: Database, claims: ClaimStore, clock: ManualClock
) -> None:
    """Of several candidates the first that can be leased is; it runs at once and ends by itself."""
    now = clock.now()
    operator = await pull_executor(queue_database, now)
    first, second = await put(queue_database, now, 2, handler="")
    assert isinstance(
        await claims.claim_pull(operator, [(first.task, None)], now, now + TTL, "r1"), PullLease
    )
    lease = await claims.claim_pull(operator, [(first.task, 1), (second.task, 1)], now, now + TTL)
    assert isinstance(lease, PullLease)
    assert lease.task == second.task
    assert await claims.claim_pull(operator, [(first.task, 1)], now, now + TTL) == Taken()
    rows = await fetch(
        queue_database, "SELECT state, session, expires_at, request_id FROM queue.leases ORDER BY task"
    )
    assert [tuple(row) for row in rows] == [(2, None, now + TTL, "r1"), (2, None, now + TTL, None)]
    await set_limits(queue_database, tasks=2)
    (third,) = await put(queue_database, now, handler="", prefix="x")
    assert await claims.claim_pull(operator, [(third.task, 1)], now, now + TTL) == OverLimit()
    assert await broken_rules(queue_database) == []
