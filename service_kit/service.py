"""The life of a service process: start, serve, wind up, end."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

from service_kit import logs
from service_kit.metrics import MetricsServer
from service_kit.rpc import RpcServer
from service_kit.settings import ServiceSettings, SettingsError, exit_with
from service_kit.tls import TlsFiles, tls_files

log = logs.logger(__name__)

S = TypeVar("S", bound=ServiceSettings)

STOP_GRACE: Final = timedelta(seconds=2)


async def _nothing() -> None:
    return None


@dataclass
class Service:
    """What `build` hands over.

    `background` runs as long as the service serves and is cancelled when it winds up; when it ends or
    fails, the process ends with exit code 1. `drain` is called once, before the server stops: it ends the
    open streams.
    """

    server: RpcServer
    background: Callable[[], Awaitable[None]] | None = None
    drain: Callable[[], Awaitable[None]] = _nothing
    endpoints: dict[str, str] = field(default_factory=dict)


Build = Callable[[S], AbstractAsyncContextManager[Service]]


def run(settings: S, build: Build[S], name: str) -> int:
    """Runs one service until SIGTERM or SIGINT; returns the exit code.

    0 after a stop, 1 when it failed, 2 when it was started wrongly. `build` makes the parts without waiting
    for the database or a peer: the server listens (NOT_SERVING) from the start, and recovers by itself. The
    bound addresses are written to `settings.endpoint_file` as `{"address": ..., "metrics": ..., "pid":
    ...}`.
    """
    logs.configure(settings.log_level, settings.log_format, {"service": name})
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(_life(settings, build))
    except SettingsError as error:
        exit_with(str(error))


def service_tls(settings: ServiceSettings) -> TlsFiles | None:
    """The TLS files of the settings. Raises SettingsError when they are incomplete."""
    return tls_files(settings.tls_cert, settings.tls_key, settings.tls_ca)


async def _life(settings: S, build: Build[S]) -> int:
    stop = _stop_signal()
    async with build(settings) as service:
        server, health = service.server, service.server.health
        metrics = MetricsServer(server.metrics, lambda: health.reason)
        try:
            bound = await _listen(settings, service, metrics)
            if settings.endpoint_file is not None:
                _write(settings.endpoint_file, bound)
            code = await _serve(service, stop)
            log.info("stopping", code=code)
            await health.not_serving("stopping", "process")
            await _drain(service, settings.drain_timeout)
        finally:
            await server.stop(STOP_GRACE)
            await metrics.stop()
    return code


async def _listen(settings: ServiceSettings, service: Service, metrics: MetricsServer) -> dict[str, str]:
    try:
        bound = {
            "address": await service.server.start(
                settings.listen, tls=service_tls(settings), insecure_dev=settings.insecure_dev
            )
        }
        if settings.metrics_listen:
            bound["metrics"] = await metrics.start(settings.metrics_listen)
    except (RuntimeError, OSError) as error:
        raise SettingsError(f"cannot listen: {error}") from None
    log.info("listening", **bound)
    return bound


async def _serve(service: Service, stop: asyncio.Event) -> int:
    """Until a signal (0) or the end of the background work (1)."""
    stopped = asyncio.create_task(stop.wait())
    if service.background is None:
        await service.server.health.serving()
        await stopped
        return 0
    background = asyncio.ensure_future(service.background())
    await asyncio.wait({stopped, background}, return_when=asyncio.FIRST_COMPLETED)
    failed = background.done()
    stopped.cancel()
    background.cancel()
    (result,) = await asyncio.gather(background, return_exceptions=True)
    if failed:
        log.error("background work ended", exc_info=result if isinstance(result, BaseException) else None)
    return 1 if failed else 0


async def _drain(service: Service, longest: timedelta) -> None:
    try:
        async with asyncio.timeout(longest.total_seconds()):
            await service.drain()
    except TimeoutError:
        log.warning("streams did not end in time", seconds=longest.total_seconds())


def _stop_signal() -> asyncio.Event:
    """Set by the first SIGTERM or SIGINT; a second one ends the process at once."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    numbers: Sequence[signal.Signals] = (signal.SIGTERM, signal.SIGINT)

    def stop_once() -> None:
        stop.set()
        for number in numbers:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)

    for number in numbers:
        loop.add_signal_handler(number, stop_once)
    return stop


def _write(file: Path, bound: dict[str, str]) -> None:
    """In one step, so that a reader never sees half of it."""
    scratch = file.with_name(f"{file.name}.{os.getpid()}")
    scratch.write_text(json.dumps({**bound, "pid": os.getpid()}))
    scratch.replace(file)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's where it is installed, else asyncio's own."""
    if sys.platform == "win32":
        return None
    try:
        import uvloop
    except ImportError:
        return None
    factory: Any = uvloop.new_event_loop
    return factory  # type: ignore[no-any-return]
