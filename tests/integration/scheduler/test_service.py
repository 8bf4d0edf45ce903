"""The whole service in one process: what it does while database or queue are away, and when they return."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import grpc
import grpc.aio
import pytest
from batonpass.options import CLIENT_OPTIONS
from batonpass.scheduler.v1 import event_service_pb2 as events_pb
from batonpass.scheduler.v1 import schedule_pb2 as pb
from google.protobuf.duration_pb2 import Duration
from grpc_health.v1 import health_pb2, health_pb2_grpc

from scheduler_service.__main__ import build
from scheduler_service.settings import SchedulerSettings
from scheduler_service.store import APPEND_ONLY, MIGRATIONS, SCHEMA
from service_kit.migrate import migrate
from tests.integration.scheduler.calls import Api, refused, schedule
from tests.support.fake_queue import FakeQueue
from tests.support.tcp_proxy import TcpProxy, through
from tests.support.waiting import until

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
EVERY_SECOND = pb.ScheduleSpec(interval=pb.IntervalSpec(every=Duration(seconds=1)))


class Running:
    """The service, and what its callers see."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.api = Api(channel)
        self._health = health_pb2_grpc.HealthStub(channel)

    async def status(self, service: str = "") -> int:
        answer = await self._health.Check(health_pb2.HealthCheckRequest(service=service), timeout=5)
        return int(answer.status)

    async def is_serving(self) -> bool:
        return await self.status() == SERVING

    async def is_not_serving(self) -> bool:
        return await self.status() == NOT_SERVING

    async def takes_calls(self) -> bool:
        return await self.status("batonpass.scheduler.v1.ScheduleService") == SERVING


@asynccontextmanager
async def running(database_url: str, queue: str) -> AsyncIterator[Running]:
    settings = SchedulerSettings(database_url=database_url, queue=queue, insecure_dev=True)
    async with build(settings) as service:
        assert service.background is not None
        address = await service.server.start(insecure_dev=True)
        background = asyncio.ensure_future(service.background())
        try:
            async with grpc.aio.insecure_channel(address, options=CLIENT_OPTIONS) as channel:
                yield Running(channel)
        finally:
            background.cancel()
            await asyncio.gather(background, return_exceptions=True)
            await service.server.stop()


@pytest.fixture
async def proxy(scheduler_database_url: str) -> AsyncIterator[TcpProxy]:
    parts = urlsplit(scheduler_database_url)
    assert parts.hostname is not None
    assert parts.port is not None
    made = await TcpProxy(parts.hostname, parts.port).open()
    yield made
    await made.cut()


async def test_starts_without_a_database_and_recovers_by_itself(
    scheduler_database_url: str, proxy: TcpProxy, queue: FakeQueue
) -> None:
    await proxy.cut()
    async with running(through(scheduler_database_url, proxy), queue.address) as service:
        await until(service.is_not_serving, "NOT_SERVING")
        refusal = await refused(service.api.ListSchedules(), grpc.StatusCode.UNAVAILABLE)
        assert refusal.reason == "DATABASE_UNAVAILABLE"
        assert refusal.retry_after is not None
        event = events_pb.Event(type="a")
        await refused(service.api.PublishEvent(event=event), grpc.StatusCode.UNAVAILABLE)
        await proxy.open()
        await until(service.is_serving, "SERVING")
        await service.api.CreateSchedule(schedule=schedule())


async def test_database_that_goes_away_and_returns_loses_nothing(
    scheduler_database_url: str, proxy: TcpProxy, queue: FakeQueue
) -> None:
    async with running(through(scheduler_database_url, proxy), queue.address) as service:
        await until(service.is_serving, "SERVING")
        await service.api.CreateSchedule(
            schedule=schedule("a", EVERY_SECOND, catch_up_policy=pb.CATCH_UP_POLICY_ALL, overlap_policy=6)
        )
        await queue.got(1)
        await proxy.cut()
        await until(service.is_not_serving, "NOT_SERVING")
        await refused(service.api.GetSchedule(schedule_id="a"), grpc.StatusCode.UNAVAILABLE)
        before = len(queue.tasks)
        await proxy.open()
        await until(service.is_serving, "SERVING")
        await until(lambda: has_tasks(queue, before + 3), "three more tasks")
    assert seconds_without_gap(queue)


async def has_tasks(queue: FakeQueue, count: int) -> bool:
    return len(queue.tasks) >= count


def seconds_without_gap(queue: FakeQueue) -> bool:
    """Whether every second from the first to the last has exactly one task."""
    seconds = sorted(task.nominal_time.seconds for task in queue.tasks.values())
    return seconds == list(range(seconds[0], seconds[-1] + 1))


async def test_missing_queue_keeps_schedules_working_and_fires_pending(
    scheduler_database_url: str, queue: FakeQueue
) -> None:
    await queue.stop()
    async with running(scheduler_database_url, queue.address) as service:
        await until(service.takes_calls, "calls work")
        assert await service.is_not_serving(), "the whole says that its peer is away"
        await service.api.CreateSchedule(schedule=schedule())
        fire = (await service.api.RunSchedule(schedule_id="a")).fire
        assert fire.disposition == pb.DISPOSITION_PENDING
        assert (await service.api.GetScheduleStats()).pending_fires == 1
        waiting = asyncio.ensure_future(service.api.AwaitHandover())
        await queue.start()
        assert (await waiting).settled == 1
        (settled,) = (await service.api.ListFires(schedule_id="a")).fires
        assert settled.disposition == pb.DISPOSITION_FIRED
        await until(service.is_serving, "SERVING")


async def test_waiting_for_the_hand_over_ends_with_the_callers_deadline(
    scheduler_database_url: str, queue: FakeQueue
) -> None:
    await queue.stop()
    async with running(scheduler_database_url, queue.address) as service:
        await until(service.takes_calls, "calls work")
        await service.api.CreateSchedule(schedule=schedule())
        await service.api.RunSchedule(schedule_id="a")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await service.api.AwaitHandover(timeout=0.5)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_old_schema_is_named_until_it_is_migrated(empty_database_url: str, queue: FakeQueue) -> None:
    async with running(empty_database_url, queue.address) as service:
        await until(service.is_not_serving, "NOT_SERVING")
        refusal = await refused(service.api.ListSchedules(), grpc.StatusCode.UNAVAILABLE)
        assert "migrate" in refusal.message
        await migrate(empty_database_url, MIGRATIONS, SCHEMA, append_only=APPEND_ONLY)
        await until(service.is_serving, "SERVING")
        await service.api.CreateSchedule(schedule=schedule())


async def test_two_replicas_hand_each_second_over_once(scheduler_database_url: str, queue: FakeQueue) -> None:
    async with (
        running(scheduler_database_url, queue.address) as one,
        running(scheduler_database_url, queue.address) as two,
    ):
        await until(one.is_serving, "SERVING")
        await until(two.is_serving, "SERVING")
        await two.api.CreateSchedule(schedule=schedule("a", EVERY_SECOND, overlap_policy=6))
        await until(lambda: has_tasks(queue, 3), "three tasks")
    assert seconds_without_gap(queue)


async def test_event_is_with_the_queue_at_once(scheduler_database_url: str, queue: FakeQueue) -> None:
    """Far below any poll: the sender is woken by the publisher, in this replica and in another one."""
    async with (
        running(scheduler_database_url, queue.address) as one,
        running(scheduler_database_url, queue.address) as two,
    ):
        await until(one.is_serving, "SERVING")
        await until(two.is_serving, "SERVING")
        listening = schedule("a", pb.ScheduleSpec(event=pb.EventSpec(type="webhook.received")))
        await one.api.CreateSchedule(schedule=listening)
        delays = []
        for number in range(20):
            replica = (one, two)[number % 2]
            started = datetime.now(UTC)
            await replica.api.PublishEvent(event=events_pb.Event(type="webhook.received"))
            await queue.got(number + 1)
            delays.append(datetime.now(UTC) - started)
        assert sorted(delays)[len(delays) // 2] < timedelta(milliseconds=250)
