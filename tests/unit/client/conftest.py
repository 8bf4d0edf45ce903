"""A client on grpcio-testing's fake channels and fake time; the test plays both services."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import grpc
import grpc_testing
import pytest
from batonpass import Client
from batonpass.queue.v1 import pull_service_pb2, queue_service_pb2
from batonpass.scheduler.v1 import (
    calendar_service_pb2,
    event_service_pb2,
    schedule_service_pb2,
    template_service_pb2,
)
from google.protobuf import any_pb2, message
from google.rpc import error_details_pb2, status_pb2

SERVICES = {
    service.name: service
    for module in (
        queue_service_pb2,
        pull_service_pb2,
        schedule_service_pb2,
        event_service_pb2,
        template_service_pb2,
        calendar_service_pb2,
    )
    for service in module.DESCRIPTOR.services_by_name.values()
}


class Recorder:
    """A fake channel that also notes the deadline of every call, which the fake itself does not look at."""

    def __init__(self, channel: grpc_testing.Channel) -> None:
        self.channel = channel
        self.timeouts: list[float | None] = []

    def unary_unary(self, *args: Any, **kwargs: Any) -> Callable[..., Any]:
        return self._noting(self.channel.unary_unary(*args, **kwargs))

    def unary_stream(self, *args: Any, **kwargs: Any) -> Callable[..., Any]:
        return self._noting(self.channel.unary_stream(*args, **kwargs))

    def close(self) -> None:
        self.channel.close()

    def _noting(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def noted(request: message.Message, timeout: float | None, metadata: Any) -> Any:
            self.timeouts.append(timeout)
            return call(request, timeout=timeout, metadata=metadata)

        return noted


class Play:
    """The client under test in a thread of its own, and the means to answer it."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self.time = grpc_testing.strict_fake_time(1_000.0)
        self.queue = Recorder(grpc_testing.channel(SERVICES.values(), self.time))
        self.scheduler = Recorder(grpc_testing.channel(SERVICES.values(), self.time))
        self.client = Client.over(
            queue=self.queue, scheduler=self.scheduler, namespace="team", actor="ann", clock=self.time
        )
        self._threads = threads

    def start(self, call: Callable[[Client], Any]) -> "Future[Any]":
        """Lets the client make a call while the test goes on."""
        return self._threads.submit(call, self.client)

    def take(self, rpc: str) -> tuple[Any, Any, Any]:
        """(metadata, request, handle) of the next call of `Service.Method`, made or still to come."""
        service, method = rpc.split(".")
        descriptor = SERVICES[service].methods_by_name[method]
        is_queue = descriptor.containing_service.file.package == "batonpass.queue.v1"
        channel = (self.queue if is_queue else self.scheduler).channel
        if descriptor.server_streaming:
            return channel.take_unary_stream(descriptor)
        return channel.take_unary_unary(descriptor)

    def answer(self, rpc: str, response: message.Message) -> Any:
        """Answers the next call with OK; returns its request."""
        _, request, handle = self.take(rpc)
        handle.send_initial_metadata(())
        handle.terminate(response, (), grpc.StatusCode.OK, "")
        return request

    def refuse(self, rpc: str, code: grpc.StatusCode, text: str, *details: message.Message) -> Any:
        """Answers the next call with an error and its rich details; returns its request."""
        _, request, handle = self.take(rpc)
        handle.send_initial_metadata(())
        handle.terminate(None, rich(code, text, *details), code, text)
        return request


def rich(code: grpc.StatusCode, text: str, *details: message.Message) -> tuple[tuple[str, bytes], ...]:
    """Trailing metadata as services send it with an error."""
    status = status_pb2.Status(code=code.value[0], message=text)
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return (("grpc-status-details-bin", status.SerializeToString()),)


def info(reason: str, **metadata: str) -> error_details_pb2.ErrorInfo:
    """The detail that names the reason."""
    return error_details_pb2.ErrorInfo(reason=reason, domain="batonpass", metadata=metadata)


@pytest.fixture
def play() -> Iterator[Play]:
    with ThreadPoolExecutor(4) as threads:
        yield Play(threads)
