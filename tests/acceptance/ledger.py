"""What the databases say after a run: nothing lost, nothing doubled, nothing left in use."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import asyncpg
import grpc
from batonpass.queue.v1 import task_pb2
from batonpass.scheduler.v1 import schedule_pb2, schedule_service_pb2, schedule_service_pb2_grpc
from google.protobuf.duration_pb2 import Duration

from tests.support.stack import Stack, eventually

EVERY = timedelta(seconds=1)


def create_schedules(stack: Stack, count: int) -> None:
    """Schedules that fire every second, each fire a task of its own, none left out after an outage."""
    with grpc.insecure_channel(stack.scheduler_address) as channel:
        stub = schedule_service_pb2_grpc.ScheduleServiceStub(channel)
        requests = [
            schedule_service_pb2.CreateScheduleRequest(schedule=_every_second(number))
            for number in range(count)
        ]
        answer = stub.BatchCreateSchedules(
            schedule_service_pb2.BatchCreateSchedulesRequest(requests=requests), timeout=30
        )
        assert {verdict.code for verdict in answer.verdicts} == {0}, answer


def disable_schedules(stack: Stack, count: int) -> None:
    with grpc.insecure_channel(stack.scheduler_address) as channel:
        stub = schedule_service_pb2_grpc.ScheduleServiceStub(channel)
        for number in range(count):
            request = schedule_service_pb2.DisableScheduleRequest(schedule_id=_name(number))
            stub.DisableSchedule(request, timeout=10)


def wait_for_fires(stack: Stack, count: int) -> None:
    eventually(lambda: fires(stack) >= count, f"{count} fires", 120, every=0.5)


def check_fires(stack: Stack, schedules: int) -> None:
    """Waits until all is handed over; then each instant has one fire, and each fire one task, done or not."""
    eventually(lambda: value(stack, "SELECT count(*) FROM scheduler.outbox") == 0, "all is handed over", 60)
    _check_instants(stack, schedules)
    _check_tasks(stack)


def check_books(stack: Stack, schedules: int) -> None:
    """Waits until all is handed over and done; then every instant, task, outcome and counter is right."""
    check_fires(stack, schedules)
    eventually(lambda: value(stack, "SELECT count(*) FROM queue.tasks") == 0, "all tasks have ended", 90)
    _check_ends(stack)
    _check_counters(stack)
    eventually(lambda: _executions(stack) == fires(stack), "every outcome is counted once", 30)


def fires(stack: Stack) -> int:
    return int(value(stack, "SELECT count(*) FROM scheduler.fires"))


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


def _check_instants(stack: Stack, schedules: int) -> None:
    """Each schedule has exactly one fire for each second from its first to its last, and all were fired."""
    rows = query(
        stack,
        "SELECT schedule_id, nominal_at, disposition, last_nominal_at FROM scheduler.fires "
        "ORDER BY schedule_id, nominal_at",
    )
    by_schedule: dict[str, list[datetime]] = {}
    for row in rows:
        assert row["last_nominal_at"] is None, f"a range of instants was not fired: {dict(row)}"
        assert row["disposition"] == schedule_pb2.DISPOSITION_FIRED, dict(row)
        by_schedule.setdefault(row["schedule_id"], []).append(row["nominal_at"])
    assert len(by_schedule) == schedules
    for schedule, instants in by_schedule.items():
        gaps = {later - earlier for earlier, later in pairwise(instants)}
        assert gaps == {EVERY}, f"{schedule} has a gap or a double among its instants: {gaps}"


def _check_tasks(stack: Stack) -> None:
    """Fires and tasks match one to one."""
    unmatched = query(
        stack,
        "WITH t AS (SELECT task_id FROM queue.tasks UNION ALL SELECT task_id FROM queue.history) "
        "SELECT fire_id, count(task_id) FROM scheduler.fires FULL JOIN t ON task_id = fire_id "
        "GROUP BY fire_id HAVING fire_id IS NULL OR count(task_id) <> 1",
    )
    assert not unmatched, f"fires without exactly one task, or tasks without a fire: {unmatched[:5]}"


def _check_ends(stack: Stack) -> None:
    """All tasks succeeded."""
    succeeded = task_pb2.TASK_STATE_SUCCEEDED
    others = query(stack, f"SELECT task_id, state FROM queue.history WHERE state <> {succeeded} LIMIT 5")
    assert not others, f"tasks that did not succeed: {others}"


def _check_counters(stack: Stack) -> None:
    """Nothing is leased, so nothing is in use."""
    assert value(stack, "SELECT count(*) FROM queue.leases") == 0
    used = query(stack, "SELECT name, used_tasks, used_cpu, used_memory FROM queue.executors")
    assert all(tuple(row)[1:] == (0, 0, 0) for row in used), used


def _executions(stack: Stack) -> int:
    return int(value(stack, "SELECT sum(execution_count) FROM scheduler.stats"))


def _name(number: int) -> str:
    return f"tick-{number:03}"


def _every_second(number: int) -> schedule_pb2.Schedule:
    interval = schedule_pb2.IntervalSpec(every=Duration(seconds=int(EVERY.total_seconds())))
    return schedule_pb2.Schedule(
        schedule_id=_name(number),
        specs=[schedule_pb2.ScheduleSpec(interval=interval)],
        template=task_pb2.TaskTemplate(
            handler="name:tick", resources=task_pb2.Resources(cpu_percent=10, memory_percent=5)
        ),
        overlap_policy=task_pb2.OVERLAP_POLICY_ALLOW_ALL,
        catch_up_policy=schedule_pb2.CATCH_UP_POLICY_ALL,
    )
