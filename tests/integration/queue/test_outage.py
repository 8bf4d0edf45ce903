"""Life without a database: at the start, in the middle, and with a schema that is not there yet."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from batonpass.options import CLIENT_OPTIONS
from batonpass.queue.v1 import intake_service_pb2
from batonpass.queue.v1 import queue_service_pb2 as pb
from grpc_health.v1 import health_pb2, health_pb2_grpc

from queue_service.__main__ import Queue
from queue_service.store import APPEND_ONLY, MIGRATIONS, SCHEMA
from service_kit.embedded import EmbeddedPostgres
from service_kit.migrate import migrate
from tests.support.queue_server import TIMEOUT, QueueServer, reason, settings
from tests.support.waiting import until

SERVING = health_pb2.HealthCheckResponse.SERVING


@pytest.fixture
def own_postgres() -> Iterator[EmbeddedPostgres]:
    """A server of this test's own, stopped; it keeps its port from start to start."""
    folder = Path(tempfile.mkdtemp(prefix="batonpass-outage-"))
    # Without fsync a crash of the host could hurt; the crash here is only PostgreSQL's own.
    server = EmbeddedPostgres(folder, settings={"fsync": "off"})
    server.start()
    server.stop()
    yield server
    server.remove()


@asynccontextmanager
async def replica(url: str) -> AsyncIterator[QueueServer]:
    """A replica that listens, whether it serves or not."""
    queue = Queue(settings(url), "test")
    address = await queue.server.start("127.0.0.1:0", insecure_dev=True)
    running = asyncio.create_task(queue.run())
    try:
        async with grpc.aio.insecure_channel(address, options=CLIENT_OPTIONS) as channel:
            yield QueueServer(queue, address, channel)
    finally:
        running.cancel()
        await asyncio.wait({running})
        await queue.drain()
        await queue.server.stop(timedelta(seconds=1))
        await queue.close()


async def serves(server: QueueServer) -> bool:
    answer = await health_pb2_grpc.HealthStub(server.channel).Check(
        health_pb2.HealthCheckRequest(service="batonpass.queue.v1.QueueService"), timeout=TIMEOUT
    )
    return bool(answer.status == SERVING)


async def _read_on(stream: "grpc.aio.UnaryStreamCall[Any, Any]") -> None:
    while await stream.read() is not grpc.aio.EOF:
        pass


async def refused(server: QueueServer, task_id: str = "t") -> tuple[str, str]:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await server.enqueue(task_id)
    return reason(error.value)


async def test_it_starts_without_a_database_and_recovers_by_itself(own_postgres: EmbeddedPostgres) -> None:
    async with replica(own_postgres.url()) as server:
        assert (await refused(server))[0] == "UNAVAILABLE"
        assert not await serves(server)
        own_postgres.start()

        async def says_migrate() -> bool:
            return "python -m queue_service migrate" in (server.queue.server.health.reason or "")

        await until(says_migrate, "the missing schema to be named")
        assert not await serves(server)
        assert (await refused(server))[0] == "UNAVAILABLE"
        await migrate(own_postgres.url(), MIGRATIONS, SCHEMA, append_only=APPEND_ONLY)
        await until(lambda: serves(server), "serving")
        assert (await server.enqueue("t")).created


async def test_a_crash_of_the_database_is_an_interruption(own_postgres: EmbeddedPostgres) -> None:
    own_postgres.start()
    await migrate(own_postgres.url(), MIGRATIONS, SCHEMA, append_only=APPEND_ONLY)
    async with replica(own_postgres.url()) as server:
        await until(lambda: serves(server), "serving")
        await server.enqueue("before")
        feed = server.intake.WatchOutcomes(intake_service_pb2.WatchOutcomesRequest(), timeout=60)
        await feed.read()
        own_postgres.kill()
        assert (await refused(server))[0] == "UNAVAILABLE"
        with pytest.raises(grpc.aio.AioRpcError) as broken:
            await _read_on(feed)
        assert reason(broken.value)[0] == "UNAVAILABLE"

        async def says_so() -> bool:
            return not await serves(server)

        await until(says_so, "NOT_SERVING")
        own_postgres.start()
        await until(lambda: serves(server), "serving again")
        assert not (await server.enqueue("before")).created
        assert (await server.enqueue("after")).created
        again = server.intake.WatchOutcomes(
            intake_service_pb2.WatchOutcomesRequest(all_tasks=True), timeout=60
        )
        await server.producer.CancelTask(pb.CancelTaskRequest(task_id="after"), timeout=TIMEOUT)
        while not (message := await again.read()).outcomes:
            pass
        assert [outcome.task_id for outcome in message.outcomes] == ["after"]
