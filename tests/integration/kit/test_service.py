"""A service process from its start to its end."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from service_kit.dev.supervisor import is_healthy
from service_kit.embedded import EmbeddedPostgres
from tests.support.postgres import HASTY, PostgresForTests
from tests.support.waiting import until

ROOT = Path(__file__).resolve().parents[3]
Start = Callable[..., "Process"]


class Process:
    """One run of the kit's example service."""

    def __init__(self, endpoint_file: Path, *flags: str) -> None:
        self.endpoint_file = endpoint_file
        command = [sys.executable, "-m", "tests.support.kit_service"]
        self._process = subprocess.Popen(
            [*command, "--endpoint-file", str(endpoint_file), *flags],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'clients' / 'python'}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    async def endpoint(self) -> dict[str, Any]:
        async def look() -> bool:
            return self.endpoint_file.exists() or self._process.poll() is not None

        await until(look, "the endpoint file")
        found: dict[str, Any] = json.loads(self.endpoint_file.read_text())
        return found

    async def healthy(self, expected: bool = True) -> None:
        metrics = (await self.endpoint())["metrics"]

        async def look() -> bool:
            return await asyncio.to_thread(is_healthy, metrics) is expected

        await until(look, f"healthy: {expected}", 30)

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def end(self) -> tuple[int, str, str]:
        """Exit code, standard output, standard error; waits for the end."""
        out, err = self._process.communicate(timeout=30)
        return self._process.returncode, out, err

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    running: list[Process] = []

    def start(*flags: str) -> Process:
        running.append(Process(tmp_path / f"endpoint-{len(running)}.json", *flags))
        return running[-1]

    yield start
    for process in running:
        process.close()


async def test_serves_until_it_is_told_to_stop(start: Start, empty_database_url: str) -> None:
    process = start("--database-url", empty_database_url, "--insecure-dev")
    await process.healthy()
    endpoint = await process.endpoint()
    async with grpc.aio.insecure_channel(endpoint["address"]) as channel:
        answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    process.signal(signal.SIGTERM)
    code, out, err = process.end()
    assert (code, out) == (0, "drained\n")
    records = [json.loads(line) for line in err.splitlines()]
    assert {record["service"] for record in records} == {"kit"}
    assert [record["event"] for record in records][-2:] == ["stopping", "not serving"]


async def test_comes_up_without_a_database_and_recovers_by_itself(
    start: Start, tmp_path_factory: pytest.TempPathFactory, postgres: PostgresForTests
) -> None:
    server = EmbeddedPostgres(tmp_path_factory.mktemp("pg"), settings=HASTY).start()
    server.stop()
    process = start("--database-url", server.url(), "--insecure-dev")
    await process.healthy(False)
    server.start()
    await process.healthy()
    server.kill()
    await process.healthy(False)
    server.start()
    await process.healthy()
    process.signal(signal.SIGINT)
    assert process.end()[0] == 0
    server.remove()


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--insecure-dev"], "BATONPASS_KIT_DATABASE_URL or DATABASE_URL is not set"),
        (["--database-url", "postgresql://h/d"], "needs --insecure-dev"),
        (["--database-url", "postgresql://h/d", "--insecure-dev", "--listen", "0.0.0.0:0"], "needs TLS"),
        (["--database-url", "postgresql://h/d", "--tls-cert", "/x"], "belong together"),
    ],
)
def test_wrong_start_is_one_sentence_and_exit_code_2(
    start: Start, monkeypatch: pytest.MonkeyPatch, flags: list[str], sentence: str
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    code, _, err = start(*flags).end()
    assert code == 2
    assert sentence in err
    assert "Traceback" not in err


async def test_taken_port_is_one_sentence_and_exit_code_2(start: Start, empty_database_url: str) -> None:
    first = start("--database-url", empty_database_url, "--insecure-dev")
    address = (await first.endpoint())["address"]
    code, _, err = start("--database-url", empty_database_url, "--insecure-dev", "--listen", address).end()
    assert code == 2
    assert "cannot listen" in err
    assert "Traceback" not in err


async def test_failed_background_work_ends_the_process_with_1(start: Start, empty_database_url: str) -> None:
    started = time.monotonic()
    process = start("--database-url", empty_database_url, "--insecure-dev", "--fail-after", "0.1")
    code, _, err = process.end()
    assert code == 1
    assert "as told" in err
    assert time.monotonic() - started < 30
