"""Every process is killed with -9 while fires flow; afterwards the books must balance."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import pytest
from batonpass.queue.v1 import task_pb2
from batonpass.scheduler.v1 import schedule_pb2, schedule_service_pb2, schedule_service_pb2_grpc
from google.protobuf.duration_pb2 import Duration

from tests.support.stack import Stack, eventually

SCHEDULES = 50
FIRES = 2_000
EVERY = timedelta(seconds=1)


@pytest.fixture
def crashing_stack(tmp_path: Path) -> Iterator[Stack]:
    with Stack(tmp_path) as stack:
        stack.start()
        yield stack


@pytest.mark.timeout(420)
def test_every_instant_is_fired_once_and_every_task_ends_once_through_kill_minus_9_of_each_process(
    crashing_stack: Stack,
) -> None:
    stack = crashing_stack
    agent = start_agent(stack)
    create_schedules(stack)

    def crash_scheduler() -> None:
        stack.scheduler.kill()
        stack.scheduler.start()

    def crash_queue() -> None:
        stack.queue.kill()
        stack.queue.start()

    def crash_agent() -> None:
        agent.kill()
        start_agent(stack)

    for number, crash in enumerate(
        (crash_scheduler, crash_queue, crash_agent, stack.crash_postgres), start=1
    ):
        wait_for_fires(stack, number * FIRES // 5)
        crash()
        stack.wait_serving()
    wait_for_fires(stack, FIRES)
    disable_schedules(stack)

    eventually(
        lambda: value(stack, "SELECT count(*) = 0 FROM scheduler.outbox"),
        "all fires are handed over",
        60,
    )
    eventually(lambda: value(stack, "SELECT count(*) = 0 FROM queue.tasks"), "all tasks have ended", 90)
    check_fires(stack)
    check_tasks(stack)
    check_counters(stack)
    eventually(lambda: executions(stack) == fires(stack), "every outcome is counted once", 30)


def check_fires(stack: Stack) -> None:
    """Each schedule has exactly one fire for each second from its first to its last, and all were fired."""
    rows = query(
        stack,
        "SELECT schedule_id, nominal_at, disposition, "
        "coalesce(last_nominal_at, nominal_at) = nominal_at AS single "
        "FROM scheduler.fires ORDER BY schedule_id, nominal_at",
    )
    fired = disposition_number("FIRED")
    by_schedule: dict[str, list[datetime]] = {}
    for row in rows:
        assert row["single"], f"a range of instants was not fired: {dict(row)}"
        assert row["disposition"] == fired, dict(row)
        by_schedule.setdefault(row["schedule_id"], []).append(row["nominal_at"])
    assert len(by_schedule) == SCHEDULES
    for schedule, instants in by_schedule.items():
        gaps = {later - earlier for earlier, later in pairwise(instants)}
        assert gaps == {EVERY}, f"{schedule} has a gap or a double among its instants: {gaps}"


def check_tasks(stack: Stack) -> None:
    """Fires and ended tasks match one to one, and all succeeded."""
    unmatched = query(
        stack,
        "SELECT f.fire_id, count(h.task_id) FROM scheduler.fires f "
        "LEFT JOIN queue.history h ON h.task_id = f.fire_id "
        "GROUP BY f.fire_id HAVING count(h.task_id) <> 1",
    )
    assert not unmatched, f"fires without exactly one ended task: {unmatched[:5]}"
    assert value(stack, "SELECT count(*) FROM queue.history") == fires(stack)
    succeeded = task_pb2.TASK_STATE_SUCCEEDED
    others = query(stack, f"SELECT task_id, state FROM queue.history WHERE state <> {succeeded} LIMIT 5")
    assert not others, f"tasks that did not succeed: {others}"


def check_counters(stack: Stack) -> None:
    """Nothing is leased, so nothing is in use."""
    assert value(stack, "SELECT count(*) FROM queue.leases") == 0
    used = query(stack, "SELECT name, used_tasks, used_cpu, used_memory FROM queue.executors")
    assert all(tuple(row)[1:] == (0, 0, 0) for row in used), used


def start_agent(stack: Stack) -> Any:
    return stack.start_agent("runner", "--handlers", "tests.support.handlers:worker")


def create_schedules(stack: Stack) -> None:
    with grpc.insecure_channel(stack.scheduler_address) as channel:
        stub = schedule_service_pb2_grpc.ScheduleServiceStub(channel)
        for number in range(SCHEDULES):
            stub.CreateSchedule(
                schedule_service_pb2.CreateScheduleRequest(schedule=every_second(number)), timeout=10
            )


def every_second(number: int) -> schedule_pb2.Schedule:
    interval = schedule_pb2.IntervalSpec(every=Duration(seconds=int(EVERY.total_seconds())))
    return schedule_pb2.Schedule(
        schedule_id=f"tick-{number:02}",
        specs=[schedule_pb2.ScheduleSpec(interval=interval)],
        template=task_pb2.TaskTemplate(
            handler="name:tick", resources=task_pb2.Resources(cpu_percent=10, memory_percent=5)
        ),
        overlap_policy=task_pb2.OVERLAP_POLICY_ALLOW_ALL,
        catch_up_policy=schedule_pb2.CATCH_UP_POLICY_ALL,
    )


def disable_schedules(stack: Stack) -> None:
    with grpc.insecure_channel(stack.scheduler_address) as channel:
        stub = schedule_service_pb2_grpc.ScheduleServiceStub(channel)
        for number in range(SCHEDULES):
            request = schedule_service_pb2.DisableScheduleRequest(schedule_id=f"tick-{number:02}")
            stub.DisableSchedule(request, timeout=10)


def fires(stack: Stack) -> int:
    return int(value(stack, "SELECT count(*) FROM scheduler.fires"))


def executions(stack: Stack) -> int:
    return int(value(stack, "SELECT sum(execution_count) FROM scheduler.stats"))


def wait_for_fires(stack: Stack, count: int) -> None:
    eventually(lambda: fires(stack) >= count, f"{count} fires", 120, every=0.5)


def disposition_number(name: str) -> int:
    return int(schedule_pb2.Disposition.Value(f"DISPOSITION_{name}"))


def value(stack: Stack, sql: str) -> Any:
    return query(stack, sql)[0][0]


def query(stack: Stack, sql: str) -> Sequence[Any]:
    """Rows of a read-only query, over a connection of its own."""

    async def fetch() -> Sequence[Any]:
        connection = await asyncpg.connect(stack.database_url)
        try:
            rows: Sequence[Any] = await connection.fetch(sql)
            return rows
        finally:
            await connection.close()

    return asyncio.run(fetch())
