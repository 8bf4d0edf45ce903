"""Prometheus metrics of one process, and the small HTTP server that shows them."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

READ_TIMEOUT: Final = 5.0
_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The registry of one process, with the RPC metrics that every service has."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.rpc_seconds = Histogram(
            "batonpass_rpc_seconds",
            "Seconds from the arrival of an RPC to its end, streams included",
            ["service", "method"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.rpc_total = Counter(
            "batonpass_rpc",
            "RPCs that ended, by status code",
            ["service", "method", "code"],
            registry=self.registry,
        )
        self.rpc_running = Gauge(
            "batonpass_rpc_running", "RPCs under way", ["service", "method"], registry=self.registry
        )


class MetricsServer:
    """Answers `GET /metrics` and `GET /healthz` (200 `ok`, or 503 with the reason) on a port of its own."""

    def __init__(self, metrics: Metrics, trouble: Callable[[], str | None] = lambda: None) -> None:
        self._metrics = metrics
        self._trouble = trouble
        self._server: asyncio.Server | None = None

    async def start(self, address: str) -> str:
        """Listens on `host:port` (port 0 = any) and returns the bound address."""
        host, _, port = address.rpartition(":")
        self._server = await asyncio.start_server(self._serve, host.strip("[]"), int(port))
        bound: int = self._server.sockets[0].getsockname()[1]
        return f"{host}:{bound}"

    async def stop(self) -> None:
        """Stops listening; answers under way may end."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(READ_TIMEOUT):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._answer(head))
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def _answer(self, head: bytes) -> bytes:
        method, _, rest = head.partition(b" ")
        path = rest.split(b" ", 1)[0].split(b"?", 1)[0]
        if method != b"GET":
            return _response("405 Method Not Allowed", "text/plain", b"only GET\n")
        if path == b"/metrics":
            return _response("200 OK", CONTENT_TYPE_LATEST, generate_latest(self._metrics.registry))
        if path == b"/healthz":
            trouble = self._trouble()
            status = "503 Service Unavailable" if trouble else "200 OK"
            return _response(status, "text/plain; charset=utf-8", f"{trouble or 'ok'}\n".encode())
        return _response("404 Not Found", "text/plain", b"/metrics or /healthz\n")


def _response(status: str, content_type: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Connection: close\r\n\r\n".encode() + body
