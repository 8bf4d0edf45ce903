"""The service as a process: verbs, exit codes, endpoint file, the end by signal."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import grpc
import pytest
from batonpass.queue.v1 import intake_service_pb2, intake_service_pb2_grpc, queue_service_pb2_grpc
from batonpass.queue.v1 import queue_service_pb2 as pb
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.support.queue_server import TIMEOUT, template
from tests.support.waiting import until

Start = Callable[..., Awaitable[Process]]

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Starts the service with arguments and variables; what is left in the end is killed."""
    started: list[Process] = []

    async def begin(*arguments: str, **environment: str) -> Process:
        started.append(await spawn(*arguments, **environment))
        return started[-1]

    yield begin
    for process in started:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def spawn(*arguments: str, **environment: str) -> Process:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("BATONPASS", "DATABASE"))
    }
    path = f"{ROOT}:{ROOT / 'clients' / 'python'}"
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "queue_service", *arguments),
        env={**kept, "PYTHONPATH": path, **environment},
        cwd=ROOT,
        stdout=PIPE,
        stderr=PIPE,
    )


async def outcome(process: Process) -> tuple[int | None, str]:
    """Exit code and everything it said."""
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, (out + err).decode()


async def test_migrate_then_serve_then_stop(start: Start, empty_database_url: str, tmp_path: Path) -> None:
    for _ in range(2):
        assert (await outcome(await start("migrate", DATABASE_URL=empty_database_url)))[0] == 0
    endpoints = tmp_path / "queue.json"
    process = await start(
        "serve",
        "--insecure-dev",
        f"--endpoint-file={endpoints}",
        BATONPASS_QUEUE_DATABASE_URL=empty_database_url,
        DATABASE_URL="postgresql://nobody@127.0.0.1:1/nothing",
    )

    async def written() -> bool:
        return endpoints.exists()

    await until(written, "the endpoint file", seconds=60)
    bound = json.loads(endpoints.read_text())
    assert bound["pid"] == process.pid
    async with grpc.aio.insecure_channel(bound["address"]) as channel:
        async for seen in health_pb2_grpc.HealthStub(channel).Watch(
            health_pb2.HealthCheckRequest(), timeout=TIMEOUT, wait_for_ready=True
        ):
            if seen.status == health_pb2.HealthCheckResponse.SERVING:
                break
        producer = queue_service_pb2_grpc.QueueServiceStub(channel)
        answer = await producer.EnqueueTask(
            pb.EnqueueTaskRequest(task_id="t", template=template()), timeout=TIMEOUT
        )
        assert answer.created
        feed = intake_service_pb2_grpc.IntakeServiceStub(channel).WatchOutcomes(
            intake_service_pb2.WatchOutcomesRequest(), timeout=60
        )
        await feed.read()
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(feed.read(), TIMEOUT) is grpc.aio.EOF
    code, said = await outcome(process)
    assert code == 0, said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        ((), {}, "BATONPASS_QUEUE_DATABASE_URL or DATABASE_URL is not set"),
        ((), {"DATABASE_URL": "mysql://x"}, "DATABASE_URL=mysql://x"),
        (("--lease-ttl", "15"), {}, "--lease-ttl=15"),
        (("--lease-ttl", "6s"), {}, "heartbeat_interval must be positive and at most half of lease_ttl"),
        (("--listen", "0.0.0.0:0"), {}, "needs TLS"),
    ],
)
async def test_a_wrong_start_ends_with_two_and_a_sentence(
    start: Start, arguments: tuple[str, ...], environment: dict[str, str], words: str
) -> None:
    if arguments:
        environment = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing"}
    code, said = await outcome(await start(*arguments, **environment))
    assert (code, "Traceback" in said) == (2, False), said
    assert words in said


async def test_plaintext_has_to_be_asked_for(start: Start) -> None:
    code, said = await outcome(await start(DATABASE_URL="postgresql://nobody@127.0.0.1:1/nothing"))
    assert code == 2
    assert "--insecure-dev" in said


async def test_migrate_without_a_database_fails_with_one_and_says_so(start: Start) -> None:
    code, said = await outcome(await start("migrate", DATABASE_URL="postgresql://nobody@127.0.0.1:1/nothing"))
    assert code == 1
    assert "Traceback" not in said


async def test_help_shows_how(start: Start) -> None:
    code, said = await outcome(await start("--help"))
    assert code == 0
    assert "python -m queue_service migrate" in said
    assert "--lease-ttl" in said
