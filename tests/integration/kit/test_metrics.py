"""The metrics endpoint over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from service_kit.metrics import Metrics, MetricsServer


class Endpoint:
    """A running metrics server whose trouble the test decides."""

    def __init__(self) -> None:
        self.trouble: str | None = None
        self.metrics = Metrics()
        self.server = MetricsServer(self.metrics, lambda: self.trouble)
        self.address = ""

    async def send(self, request: bytes) -> bytes:
        host, _, port = self.address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(request)
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer

    async def get(self, path: str) -> tuple[int, str]:
        answer = await self.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), body.decode()


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    endpoint = Endpoint()
    endpoint.address = await endpoint.server.start("127.0.0.1:0")
    yield endpoint
    await endpoint.server.stop()


async def test_metrics_are_shown_in_prometheus_text(endpoint: Endpoint) -> None:
    endpoint.metrics.rpc_total.labels("S", "M", "OK").inc()
    status, body = await endpoint.get("/metrics")
    assert status == 200
    assert 'batonpass_rpc_total{code="OK",method="M",service="S"} 1.0' in body
    assert "process_cpu_seconds_total" in body


async def test_health_is_shown_with_its_reason(endpoint: Endpoint) -> None:
    assert await endpoint.get("/healthz") == (200, "ok\n")
    endpoint.trouble = "PostgreSQL is not reachable"
    assert await endpoint.get("/healthz") == (503, "PostgreSQL is not reachable\n")


@pytest.mark.parametrize(("request_line", "status"), [(b"GET /x", b"404"), (b"POST /metrics", b"405")])
async def test_anything_else_is_refused(endpoint: Endpoint, request_line: bytes, status: bytes) -> None:
    assert (await endpoint.send(request_line + b" HTTP/1.1\r\n\r\n")).split()[1] == status


@pytest.mark.parametrize("noise", [b"", b"GET", b"\x00" * 100_000])
async def test_noise_is_dropped_and_the_server_stays_up(endpoint: Endpoint, noise: bytes) -> None:
    with suppress(ConnectionError):
        assert await endpoint.send(noise) == b""
    assert (await endpoint.get("/healthz"))[0] == 200
