"""What producers do to the services in a bench."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from itertools import islice

import grpc
from batonpass.options import CLIENT_OPTIONS
from batonpass.queue.v1 import queue_service_pb2, queue_service_pb2_grpc, task_pb2
from batonpass.scheduler.v1 import (
    event_service_pb2,
    event_service_pb2_grpc,
    schedule_pb2,
    schedule_service_pb2,
    schedule_service_pb2_grpc,
)
from google.protobuf.timestamp_pb2 import Timestamp

from tests.bench.echo import METHOD

CALLERS = 64
DEADLINE = 60.0


def channel(address: str) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(address, options=CLIENT_OPTIONS)


def noop_task(task_id: str, handler: str = "name:noop") -> queue_service_pb2.EnqueueTaskRequest:
    return queue_service_pb2.EnqueueTaskRequest(
        task_id=task_id, template=task_pb2.TaskTemplate(handler=handler)
    )


async def enqueue_single(address: str, prefix: str, tasks: int) -> float:
    """Tasks accepted per second by unary calls of 64 callers at once."""
    async with channel(address) as link:
        stub = queue_service_pb2_grpc.QueueServiceStub(link)
        calls = (
            lambda i=i: stub.EnqueueTask(noop_task(f"{prefix}-{i}"), timeout=DEADLINE) for i in range(tasks)
        )
        return tasks / await _side_by_side(calls, CALLERS)


async def enqueue_batches(address: str, prefix: str, tasks: int, batch: int = 500) -> float:
    """Tasks accepted per second in batches, two calls under way."""
    async with channel(address) as link:
        stub = queue_service_pb2_grpc.QueueServiceStub(link)
        requests = [
            queue_service_pb2.BatchEnqueueTasksRequest(
                requests=[noop_task(f"{prefix}-{i}") for i in range(first, min(first + batch, tasks))]
            )
            for first in range(0, tasks, batch)
        ]
        calls = (lambda r=r: stub.BatchEnqueueTasks(r, timeout=DEADLINE) for r in requests)
        return tasks / await _side_by_side(calls, 2)


async def echo(address: str, calls: int) -> float:
    """Bare echoes per second of 64 callers at once, with messages of an enqueue's size."""
    message = noop_task("echo-000000").SerializeToString()
    async with channel(address) as link:
        call = link.unary_unary(METHOD)
        return calls / await _side_by_side(
            (lambda: call(message, timeout=DEADLINE) for _ in range(calls)), CALLERS
        )


async def paced_tasks(address: str, prefix: str, tasks: int, per_second: float) -> dict[str, float]:
    """Enqueues one task after another at a steady pace; returns when each call began."""
    sent: dict[str, float] = {}
    async with channel(address) as link:
        stub = queue_service_pb2_grpc.QueueServiceStub(link)
        async for number in _paced(tasks, per_second):
            task_id = f"{prefix}-{number}"
            sent[task_id] = time.time()
            await stub.EnqueueTask(noop_task(task_id), timeout=DEADLINE)
    return sent


async def paced_events(address: str, prefix: str, events: int, per_second: float) -> dict[str, float]:
    """Publishes events that one schedule listens to; returns for each fire when its call began."""
    sent: dict[str, float] = {}
    async with channel(address) as link:
        schedules = schedule_service_pb2_grpc.ScheduleServiceStub(link)
        stub = event_service_pb2_grpc.EventServiceStub(link)
        await schedules.CreateSchedule(
            schedule_service_pb2.CreateScheduleRequest(schedule=_listener(prefix)), timeout=DEADLINE
        )
        async for number in _paced(events, per_second):
            event = event_service_pb2.Event(id=f"{prefix}-{number}", source="bench", type=f"bench.{prefix}")
            begin = time.time()
            answer = await stub.PublishEvent(
                event_service_pb2.PublishEventRequest(event=event), timeout=DEADLINE
            )
            sent[answer.fires[0].fire_id] = begin
    return sent


async def schedules_at(address: str, prefix: str, schedules: int, instant: float) -> None:
    """Creates one-shot schedules that are all due at the same second of the wall clock."""
    async with channel(address) as link:
        stub = schedule_service_pb2_grpc.ScheduleServiceStub(link)
        calls = (
            lambda i=i: stub.CreateSchedule(
                schedule_service_pb2.CreateScheduleRequest(schedule=_one_shot(f"{prefix}-{i}", instant)),
                timeout=DEADLINE,
            )
            for i in range(schedules)
        )
        await _side_by_side(calls, CALLERS)


async def create_batches(
    address: str,
    schedules: Iterable[schedule_pb2.Schedule],
    progress: Callable[[int], None] = lambda _: None,
    batch: int = 500,
) -> float:
    """Creates schedules in batches, four calls under way; returns the seconds it took."""
    done = 0
    async with channel(address) as link:
        stub = schedule_service_pb2_grpc.ScheduleServiceStub(link)

        async def create(some: list[schedule_pb2.Schedule]) -> None:
            nonlocal done
            requests = [
                schedule_service_pb2.CreateScheduleRequest(schedule=each, request_id=f"r-{each.schedule_id}")
                for each in some
            ]
            answer = await stub.BatchCreateSchedules(
                schedule_service_pb2.BatchCreateSchedulesRequest(requests=requests), timeout=DEADLINE
            )
            refused = [verdict for verdict in answer.verdicts if verdict.code]
            assert not refused, refused[:3]
            done += len(some)
            progress(done)

        rest = iter(schedules)
        batches = iter(lambda: list(islice(rest, batch)), [])
        return await _side_by_side((lambda some=some: create(some) for some in batches), 4)


async def delete_schedules(address: str, schedules: Iterable[schedule_pb2.Schedule]) -> None:
    """Deletes them one by one, 64 calls under way."""
    async with channel(address) as link:
        stub = schedule_service_pb2_grpc.ScheduleServiceStub(link)
        requests = (
            schedule_service_pb2.DeleteScheduleRequest(schedule_id=each.schedule_id) for each in schedules
        )
        await _side_by_side((lambda r=r: stub.DeleteSchedule(r, timeout=DEADLINE) for r in requests), CALLERS)


def _listener(prefix: str) -> schedule_pb2.Schedule:
    return schedule_pb2.Schedule(
        schedule_id=f"listen-{prefix}",
        specs=[schedule_pb2.ScheduleSpec(event=schedule_pb2.EventSpec(type=f"bench.{prefix}"))],
        template=task_pb2.TaskTemplate(handler="name:noop"),
        overlap_policy=task_pb2.OVERLAP_POLICY_ALLOW_ALL,
    )


def _one_shot(schedule_id: str, instant: float) -> schedule_pb2.Schedule:
    one_shot = schedule_pb2.OneShotSpec(time=Timestamp(seconds=int(instant)))
    return schedule_pb2.Schedule(
        schedule_id=schedule_id,
        specs=[schedule_pb2.ScheduleSpec(one_shot=one_shot)],
        template=task_pb2.TaskTemplate(handler="name:noop"),
    )


async def _side_by_side(calls: Iterator[Callable[[], Awaitable[object]]], width: int) -> float:
    """Runs the calls, `width` at a time; returns the seconds it took."""

    async def caller() -> None:
        for call in calls:
            await call()

    begin = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(width)))
    return time.perf_counter() - begin


async def _paced(count: int, per_second: float) -> AsyncIterator[int]:
    begin = time.perf_counter()
    for number in range(count):
        await asyncio.sleep(max(0.0, begin + number / per_second - time.perf_counter()))
        yield number
