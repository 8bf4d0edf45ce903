"""Replicas of the scheduler on one database, and a fake queue."""

from collections.abc import AsyncIterator, Callable

import grpc.aio
import pytest
from batonpass.options import CLIENT_OPTIONS
from batonpass.scheduler.v1.backfill_service_pb2_grpc import add_BackfillServiceServicer_to_server
from batonpass.scheduler.v1.calendar_service_pb2_grpc import add_CalendarServiceServicer_to_server
from batonpass.scheduler.v1.event_service_pb2_grpc import add_EventServiceServicer_to_server
from batonpass.scheduler.v1.schedule_service_pb2_grpc import add_ScheduleServiceServicer_to_server
from batonpass.scheduler.v1.template_service_pb2_grpc import add_TemplateServiceServicer_to_server

from scheduler_service.api.backfill_service import BackfillService
from scheduler_service.api.calendar_service import CalendarService
from scheduler_service.api.creation import Makings
from scheduler_service.api.event_service import EventService
from scheduler_service.api.schedule_service import ScheduleService
from scheduler_service.api.template_service import TemplateService
from scheduler_service.app.awaiting import Awaiting
from scheduler_service.app.preview import Preview
from service_kit.clock import ManualClock
from service_kit.rpc import RpcServer
from tests.integration.scheduler.calls import Api
from tests.integration.scheduler.replica import Replica
from tests.support.fake_queue import FakeQueue

MakeReplica = Callable[..., Replica]


@pytest.fixture
async def queue() -> AsyncIterator[FakeQueue]:
    fake = await FakeQueue().start()
    yield fake
    fake.answers.set()
    await fake.stop()


@pytest.fixture
async def make_replica(
    scheduler_database_url: str, clock: ManualClock, queue: FakeQueue
) -> AsyncIterator[MakeReplica]:
    made: list[Replica] = []

    def make(window: int = 2000) -> Replica:
        made.append(Replica(scheduler_database_url, clock, queue.address, window))
        return made[-1]

    yield make
    for replica in made:
        await replica.close()


@pytest.fixture
def replica(make_replica: MakeReplica) -> Replica:
    return make_replica()


@pytest.fixture
async def address(replica: Replica, clock: ManualClock) -> AsyncIterator[str]:
    """Where a server of all its services listens."""
    server = RpcServer()
    schedules = replica.schedules
    awaiting = Awaiting(replica.database, clock, replica.signals, poll=0.05)
    server.add(
        add_ScheduleServiceServicer_to_server,
        ScheduleService(
            replica.creator,
            schedules,
            replica.ledger,
            Preview(schedules, replica.calendars, clock),
            awaiting,
            Makings(replica.templates),
        ),
    )
    server.add(add_CalendarServiceServicer_to_server, CalendarService(replica.calendars))
    server.add(add_TemplateServiceServicer_to_server, TemplateService(replica.templates))
    server.add(add_BackfillServiceServicer_to_server, BackfillService(replica.backfills))
    events = EventService(replica.publisher, replica.event_log, replica.replays, clock)
    server.add(add_EventServiceServicer_to_server, events)
    yield await server.start(insecure_dev=True)
    await server.stop()


@pytest.fixture
async def api(address: str) -> AsyncIterator[Api]:
    async with grpc.aio.insecure_channel(address, options=CLIENT_OPTIONS) as channel:
        yield Api(channel)
