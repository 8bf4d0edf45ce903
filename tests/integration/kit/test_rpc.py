"""The server's edge, seen by a real client over a real connection."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import grpc
import grpc.aio
import pytest
from batonpass.options import CLIENT_OPTIONS, MAX_REQUEST_BYTES, caller_metadata
from batonpass.queue.v1.pull_service_pb2 import LeaseTaskRequest
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status

from service_kit.edge import Edge as Interceptor
from service_kit.errors import NotFound, ResourceExhausted, ServiceError
from service_kit.metrics import Metrics
from service_kit.rpc import RpcServer, current_caller
from service_kit.validation import validates_itself

SERVICE = "batonpass.test.v1.TestService"
GOOD = LeaseTaskRequest(task_id="t1", executor="someone")
BAD = LeaseTaskRequest(task_id="t1", executor="not a name!")

Unary = Callable[[LeaseTaskRequest, Any], Awaitable[LeaseTaskRequest]]


class OwnError(Exception):
    """An error that only the service knows."""


def translate(error: Exception) -> ServiceError | None:
    return NotFound("no such thing", metadata={"id": "7"}) if isinstance(error, OwnError) else None


class Edge:
    """A server with one method of each shape; `act` is what the unary one does."""

    def __init__(self) -> None:
        self.act: Unary = echo
        self.closed = asyncio.Event()
        self.server = RpcServer(translate=translate)
        self.server.add(self._register, self)
        self.address = ""

    def _register(self, _: "Edge", server: Any) -> None:
        shape = {
            "request_deserializer": LeaseTaskRequest.FromString,
            "response_serializer": LeaseTaskRequest.SerializeToString,
        }
        handlers = {
            "Unary": grpc.unary_unary_rpc_method_handler(self.unary, **shape),
            "Down": grpc.unary_stream_rpc_method_handler(self.down, **shape),
            "Up": grpc.stream_unary_rpc_method_handler(self.up, **shape),
            "Both": grpc.stream_stream_rpc_method_handler(self.both, **shape),
            "Own": grpc.stream_stream_rpc_method_handler(self.own, **shape),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))

    async def unary(self, request: LeaseTaskRequest, context: Any) -> LeaseTaskRequest:
        return await self.act(request, context)

    async def down(self, request: LeaseTaskRequest, context: Any) -> AsyncIterator[LeaseTaskRequest]:
        try:
            yield request
            await self.act(request, context)
            while True:
                yield request
                await asyncio.sleep(0.01)
        finally:
            self.closed.set()

    async def up(self, requests: AsyncIterator[LeaseTaskRequest], context: Any) -> LeaseTaskRequest:
        count = 0
        async for _ in requests:
            count += 1
        return LeaseTaskRequest(task_id=str(count))

    async def both(
        self, requests: AsyncIterator[LeaseTaskRequest], context: Any
    ) -> AsyncIterator[LeaseTaskRequest]:
        async for request in requests:
            yield request

    @validates_itself
    async def own(
        self, requests: AsyncIterator[LeaseTaskRequest], context: Any
    ) -> AsyncIterator[LeaseTaskRequest]:
        async for request in requests:
            yield request

    def metric(self, method: str, code: str) -> float:
        labels = {"service": SERVICE, "method": method, "code": code}
        return self.server.metrics.registry.get_sample_value("batonpass_rpc_total", labels) or 0.0

    def running(self, method: str) -> float:
        labels = {"service": SERVICE, "method": method}
        return self.server.metrics.registry.get_sample_value("batonpass_rpc_running", labels) or 0.0


async def echo(request: LeaseTaskRequest, _context: Any) -> LeaseTaskRequest:
    return request


@pytest.fixture
async def edge() -> AsyncIterator[Edge]:
    edge = Edge()
    edge.address = await edge.server.start(insecure_dev=True)
    yield edge
    await edge.server.stop()


@pytest.fixture
async def channel(edge: Edge) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(edge.address, options=CLIENT_OPTIONS) as channel:
        yield channel


def method(channel: grpc.aio.Channel, name: str) -> Any:
    make = {
        "Unary": channel.unary_unary,
        "Down": channel.unary_stream,
        "Up": channel.stream_unary,
        "Both": channel.stream_stream,
        "Own": channel.stream_stream,
    }[name]
    return make(
        f"/{SERVICE}/{name}",
        request_serializer=LeaseTaskRequest.SerializeToString,
        response_deserializer=LeaseTaskRequest.FromString,
    )


def details(error: grpc.aio.AioRpcError) -> dict[type, Any]:
    status = rpc_status.from_call(error)
    assert status is not None
    found: dict[type, Any] = {}
    for kind in (ErrorInfo, BadRequest, RetryInfo):
        for detail in status.details:
            if detail.Is(kind.DESCRIPTOR):
                found[kind] = kind.FromString(detail.value)
    return found


async def refused(call: Awaitable[Any]) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


async def test_answer_comes_back_and_is_counted(edge: Edge, channel: grpc.aio.Channel) -> None:
    assert await method(channel, "Unary")(GOOD, timeout=5) == GOOD
    assert edge.metric("Unary", "OK") == 1
    assert edge.running("Unary") == 0


async def test_unary_call_without_deadline_is_refused_with_the_rule(channel: grpc.aio.Channel) -> None:
    error = await refused(method(channel, "Unary")(GOOD))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "deadline" in str(error.details())
    assert details(error)[ErrorInfo].reason == "DEADLINE_REQUIRED"


async def test_broken_rules_come_back_as_field_violations(edge: Edge, channel: grpc.aio.Channel) -> None:
    error = await refused(method(channel, "Unary")(BAD, timeout=5))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    (violation,) = details(error)[BadRequest].field_violations
    assert violation.field == "executor"
    assert "pattern" in violation.description
    assert edge.metric("Unary", "INVALID_ARGUMENT") == 1


async def test_refusal_keeps_its_facts(edge: Edge, channel: grpc.aio.Channel) -> None:
    async def full(_request: LeaseTaskRequest, _context: Any) -> LeaseTaskRequest:
        facts = {"queue": "q"}
        raise ResourceExhausted("full", reason="QUEUE_FULL", metadata=facts, retry_after=timedelta(seconds=3))

    edge.act = full
    error = await refused(method(channel, "Unary")(GOOD, timeout=5))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert error.details() == "full"
    assert details(error)[ErrorInfo].reason == "QUEUE_FULL"
    assert details(error)[RetryInfo].retry_delay.seconds == 3


async def test_error_of_the_service_is_translated(edge: Edge, channel: grpc.aio.Channel) -> None:
    async def own(_request: LeaseTaskRequest, _context: Any) -> LeaseTaskRequest:
        raise OwnError

    edge.act = own
    error = await refused(method(channel, "Unary")(GOOD, timeout=5))
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert details(error)[ErrorInfo].metadata == {"id": "7"}


async def test_unknown_error_tells_the_client_nothing(edge: Edge, channel: grpc.aio.Channel) -> None:
    async def bug(_request: LeaseTaskRequest, _context: Any) -> LeaseTaskRequest:
        raise ValueError("the password is s3cret")

    edge.act = bug
    for call in (method(channel, "Unary")(GOOD, timeout=5), all_of(method(channel, "Down")(GOOD))):
        error = await refused(call)
        assert error.code() is grpc.StatusCode.INTERNAL
        assert "s3cret" not in str(error)


async def test_status_that_the_handler_chose_is_kept(edge: Edge, channel: grpc.aio.Channel) -> None:
    async def abort(_request: LeaseTaskRequest, context: Any) -> LeaseTaskRequest:
        await context.abort(grpc.StatusCode.DATA_LOSS, "chosen")
        raise AssertionError

    edge.act = abort
    error = await refused(method(channel, "Unary")(GOOD, timeout=5))
    assert (error.code(), error.details()) == (grpc.StatusCode.DATA_LOSS, "chosen")
    assert edge.metric("Unary", "DATA_LOSS") == 1


async def test_method_without_a_body_is_unimplemented(edge: Edge, channel: grpc.aio.Channel) -> None:
    async def absent(_request: LeaseTaskRequest, _context: Any) -> LeaseTaskRequest:
        raise NotImplementedError

    edge.act = absent
    error = await refused(method(channel, "Unary")(GOOD, timeout=5))
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_caller_is_known_in_every_shape(edge: Edge, channel: grpc.aio.Channel) -> None:
    seen: list[tuple[str, str]] = []

    async def note(request: LeaseTaskRequest, _context: Any) -> LeaseTaskRequest:
        seen.append((current_caller().namespace, current_caller().actor))
        return request

    edge.act = note
    await method(channel, "Unary")(GOOD, timeout=5)
    stream = method(channel, "Down")(GOOD, metadata=caller_metadata("ops", "zoë"))
    await stream.read()
    await stream.read()
    stream.cancel()
    assert seen == [("default", "anonymous"), ("ops", "zoë")]


async def test_malformed_namespace_is_refused(channel: grpc.aio.Channel) -> None:
    error = await refused(method(channel, "Unary")(GOOD, timeout=5, metadata=caller_metadata("No Good")))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert details(error)[BadRequest].field_violations[0].field == "batonpass-namespace"


async def test_every_message_of_a_stream_is_validated(channel: grpc.aio.Channel) -> None:
    assert (await method(channel, "Up")(iterate(GOOD, GOOD))).task_id == "2"
    assert await all_of(method(channel, "Both")(iterate(GOOD, GOOD))) == [GOOD, GOOD]
    for name in ("Up", "Both"):
        call = method(channel, name)(iterate(GOOD, BAD))
        error = await refused(call if name == "Up" else all_of(call))
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_handler_may_validate_its_messages_itself(channel: grpc.aio.Channel) -> None:
    """One bad item among many is answered by the handler, in the stream."""
    assert await all_of(method(channel, "Own")(iterate(GOOD, BAD))) == [GOOD, BAD]


@pytest.mark.parametrize("name", ["Unary", "Down", "Up", "Both", "Own"])
async def test_bytes_that_are_no_message_are_refused_in_every_shape(
    edge: Edge, channel: grpc.aio.Channel, name: str
) -> None:
    streams_in = name in ("Up", "Both", "Own")
    shape = "stream" if streams_in else "unary", "unary" if name in ("Unary", "Up") else "stream"
    call = getattr(channel, "_".join(shape))(f"/{SERVICE}/{name}")
    garbage = b"\x0a\x02\xff\xfe"
    made = call(iterate(garbage)) if streams_in else call(garbage, timeout=5)
    error = await refused(made if shape[1] == "unary" else all_of(made))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert details(error)[ErrorInfo].reason == "MALFORMED_MESSAGE"
    assert edge.metric(name, "INVALID_ARGUMENT") == 1


async def test_handler_cleans_up_when_its_client_leaves(edge: Edge, channel: grpc.aio.Channel) -> None:
    stream = method(channel, "Down")(GOOD)
    await stream.read()
    stream.cancel()
    async with asyncio.timeout(5):
        await edge.closed.wait()
    assert edge.metric("Down", "INTERNAL") == 0


async def test_oversized_message_is_refused_and_the_server_stays_up(channel: grpc.aio.Channel) -> None:
    oversized = LeaseTaskRequest(task_id="x" * MAX_REQUEST_BYTES)
    error = await refused(method(channel, "Unary")(oversized, timeout=5))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert await method(channel, "Unary")(GOOD, timeout=5) == GOOD


async def test_health_follows_every_source(edge: Edge, channel: grpc.aio.Channel) -> None:
    stub = health_pb2_grpc.HealthStub(channel)

    async def status(service: str) -> int:
        return int((await stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=5)).status)

    serving, not_serving = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
    health = edge.server.health
    assert await status(SERVICE) == not_serving
    await health.serving()
    assert [await status(""), await status(SERVICE)] == [serving, serving]
    await health.not_serving("away", "database")
    await health.not_serving("stopping", "process")
    await health.serving("database")
    assert await status(SERVICE) == not_serving
    assert health.reason == "stopping"


async def test_reflection_lists_the_services(channel: grpc.aio.Channel) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    async for response in stub.ServerReflectionInfo(iter([request]), timeout=5):
        names = {service.name for service in response.list_services_response.service}
        assert {SERVICE, "grpc.health.v1.Health"} <= names


async def test_taken_port_is_an_error(edge: Edge) -> None:
    with pytest.raises(RuntimeError):
        await RpcServer().start(edge.address, insecure_dev=True)


async def test_streaming_handler_must_be_a_generator() -> None:
    """`context.write` would bypass the edge: its errors, its metrics."""

    async def writes(_request: LeaseTaskRequest, _context: Any) -> None:
        return None

    async def found(_details: grpc.HandlerCallDetails) -> Any:
        return grpc.unary_stream_rpc_method_handler(writes)

    asked = SimpleNamespace(method=f"/{SERVICE}/Down", invocation_metadata=())
    with pytest.raises(TypeError, match="async generator"):
        await Interceptor(Metrics()).intercept_service(found, asked)


async def iterate(*messages: LeaseTaskRequest) -> AsyncIterator[LeaseTaskRequest]:
    for message in messages:
        yield message


async def all_of(call: Any) -> list[LeaseTaskRequest]:
    return [answer async for answer in call]
