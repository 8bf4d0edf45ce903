"""Every Batonpass service as a script: canned answers over a real gRPC server, and what was asked.

    with FakeServices() as services:
        services.answer("GetTask", queue_service_pb2.GetTaskResponse(task=...))
        ...                         # call services.address
        services.request("GetTask")

The server runs on its own event loop in its own thread, so that blocking clients can be tested. A method
without an answer returns an empty message; a unary call without a deadline is refused, as the services do.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import timedelta
from types import TracebackType
from typing import Any, NamedTuple

import grpc
import grpc.aio
from batonpass.options import SERVER_OPTIONS
from batonpass.queue.v1 import pull_service_pb2, queue_service_pb2
from batonpass.scheduler.v1 import (
    backfill_service_pb2,
    calendar_service_pb2,
    event_service_pb2,
    schedule_service_pb2,
    template_service_pb2,
)
from google.protobuf import message_factory
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

START_TIMEOUT = 10.0
SERVICES = [
    service
    for module in (
        backfill_service_pb2,
        calendar_service_pb2,
        event_service_pb2,
        schedule_service_pb2,
        template_service_pb2,
        queue_service_pb2,
        pull_service_pb2,
    )
    for service in module.DESCRIPTOR.services_by_name.values()
]


class Call(NamedTuple):
    """One call as the server saw it. `timeout` is what was left of it in seconds, None without a deadline."""

    method: str
    request: Any
    metadata: dict[str, str]
    timeout: float | None


class Refusal(Exception):
    """An answer that is an error with rich details."""

    def __init__(
        self,
        code: grpc.StatusCode,
        message: str,
        *,
        reason: str = "",
        violations: Iterable[tuple[str, str]] = (),
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(message)
        status = status_pb2.Status(code=code.value[0], message=message)
        if reason:
            status.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason, domain="batonpass"))
        broken = [
            error_details_pb2.BadRequest.FieldViolation(field=field, description=rule)
            for field, rule in violations
        ]
        if broken:
            status.details.add().Pack(error_details_pb2.BadRequest(field_violations=broken))
        if retry_after is not None:
            retry = error_details_pb2.RetryInfo()
            retry.retry_delay.FromTimedelta(retry_after)
            status.details.add().Pack(retry)
        self.status = rpc_status.to_status(status)


Answer = Message | Refusal | Callable[[Any], Message]
HANG = Refusal(grpc.StatusCode.UNKNOWN, "never sent")
"""As the last item of a stream: keep it open until the client ends it."""


class FakeServices:
    """A server of all services; use it as a context manager."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.address = ""
        self._answers: dict[str, list[Answer]] = {}
        self._streams: dict[str, list[list[Message | Refusal]]] = {}
        self._loop = asyncio.new_event_loop()
        self._server: grpc.aio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="fake services")

    def __enter__(self) -> "FakeServices":
        self._thread.start()
        self._run(self._start("127.0.0.1:0"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def stop(self) -> None:
        """Ends the server, as a crash would: open streams break."""
        if self._server is not None:
            self._run(self._server.stop(None))
            self._server = None

    def restart(self) -> None:
        """Starts the server again at the same address."""
        self._run(self._start(self.address))

    def answer(self, method: str, *answers: Answer) -> None:
        """What calls of a unary method get, in turn; the last one again and again."""
        self._answers[method] = list(answers)

    def stream(self, method: str, *streams: list[Message | Refusal]) -> None:
        """What calls of a streaming method get, in turn; the last one again and again."""
        self._streams[method] = list(streams)

    def requests(self, method: str) -> list[Any]:
        """All requests of a method, oldest first."""
        return [call.request for call in self.calls if call.method == method]

    def request(self, method: str) -> Any:
        """The only request of a method."""
        (found,) = self.requests(method)
        return found

    def call(self, method: str) -> Call:
        """The last call of a method."""
        return [call for call in self.calls if call.method == method][-1]

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(START_TIMEOUT)

    async def _start(self, address: str) -> None:
        self._server = grpc.aio.server(options=SERVER_OPTIONS)
        for service in SERVICES:
            handlers = {method.name: self._handler(method) for method in service.methods}
            generic = grpc.method_handlers_generic_handler(service.full_name, handlers)
            self._server.add_generic_rpc_handlers((generic,))
        port = self._server.add_insecure_port(address)
        await self._server.start()
        self.address = f"127.0.0.1:{port}"

    def _handler(self, method: Any) -> Any:
        request = message_factory.GetMessageClass(method.input_type)
        response = message_factory.GetMessageClass(method.output_type)
        if method.server_streaming:
            return grpc.unary_stream_rpc_method_handler(
                self._streaming(method.name), request.FromString, response.SerializeToString
            )
        return grpc.unary_unary_rpc_method_handler(
            self._unary(method.name, response), request.FromString, response.SerializeToString
        )

    def _unary(self, name: str, response: type[Message]) -> Any:
        async def handle(request: Any, context: Any) -> Message:
            self._record(name, request, context)
            if context.time_remaining() is None:
                await _abort(context, Refusal(grpc.StatusCode.INVALID_ARGUMENT, f"{name} needs a deadline"))
            answer = _next(self._answers.get(name, [response()]))
            if isinstance(answer, Refusal):
                await _abort(context, answer)
            made: Message = answer(request) if callable(answer) else answer
            return made

        return handle

    def _streaming(self, name: str) -> Any:
        async def handle(request: Any, context: Any) -> AsyncIterator[Message]:
            self._record(name, request, context)
            for item in _next(self._streams.get(name, [[]])):
                if item is HANG:
                    await asyncio.Event().wait()
                elif isinstance(item, Refusal):
                    await _abort(context, item)
                else:
                    yield item

        return handle

    def _record(self, name: str, request: Any, context: Any) -> None:
        metadata = {key: value for key, value in context.invocation_metadata() if isinstance(value, str)}
        self.calls.append(Call(name, request, metadata, context.time_remaining()))


def _next(answers: list[Any]) -> Any:
    return answers.pop(0) if len(answers) > 1 else answers[0]


async def _abort(context: Any, refusal: Refusal) -> None:
    status = refusal.status
    await context.abort(status.code, status.details, status.trailing_metadata)
