"""One replica of the queue's dispatch half, with a real server in front and a real database behind."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

from batonpass.queue.v1 import dispatch_service_pb2_grpc
from prometheus_client import CollectorRegistry

from queue_service.api.dispatch_service import DispatchService
from queue_service.app.dispatch import Databases, Dispatch
from queue_service.domain.terms import Terms
from queue_service.store.dispatching import by_index
from service_kit.clock import DatabaseClock
from service_kit.migrate import runtime_role
from service_kit.postgres import Database, engine
from service_kit.rpc import RpcServer

STEADY = Terms(
    ttl=timedelta(seconds=60),
    margin=timedelta(seconds=1),
    heartbeat=timedelta(seconds=0.3),
    offer_timeout=timedelta(seconds=60),
)
"""Nobody is taken for dead while a test runs, however busy the machine is."""

QUICK = replace(
    STEADY,
    ttl=timedelta(seconds=1.5),
    margin=timedelta(seconds=0.4),
    offer_timeout=timedelta(seconds=5),
)
"""Sessions run out soon, offers a little later."""


@dataclass
class Replica:
    """What tests need of one replica."""

    address: str
    dispatch: Dispatch
    databases: Databases
    clock: DatabaseClock
    loops: "asyncio.Task[None]"
    registry: CollectorRegistry

    async def stop_loops(self) -> None:
        """No more claims, recalls or rescues."""
        self.loops.cancel()
        await asyncio.wait({self.loops})


@asynccontextmanager
async def replica(url: str, terms: Terms = STEADY, name: str = "replica") -> AsyncIterator[Replica]:
    """Runs until the block ends; then it stops as the service does."""
    databases = Databases(*(_database(url, size) for size in (4, 4, 2)))
    clock = DatabaseClock(databases.liveness.now)
    await clock.start()
    registry = CollectorRegistry()
    dispatch = Dispatch(databases, clock, terms, name, registry)
    server = RpcServer()
    server.add(
        dispatch_service_pb2_grpc.add_DispatchServiceServicer_to_server, DispatchService(dispatch.roster)
    )
    address = await server.start("127.0.0.1:0", insecure_dev=True)
    loops = asyncio.create_task(dispatch.run())
    running = Replica(address, dispatch, databases, clock, loops, registry)
    try:
        yield running
    finally:
        await running.stop_loops()
        async with asyncio.timeout(10):
            await dispatch.drain()
        await server.stop()
        await dispatch.close()
        await clock.stop()
        for database in (databases.claims, databases.finish, databases.liveness):
            await database.close()


def _database(url: str, size: int) -> Database:
    return Database(by_index(engine(url, pool_size=size, role=runtime_role("queue"), name="batonpass-test")))
