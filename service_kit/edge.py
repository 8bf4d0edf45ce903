"""The interceptor around every RPC of ours: metrics, errors, deadline, validation, caller, in this order.

One interceptor instead of five, because each costs as much as the rest of a small call. RPCs of other
packages (health, reflection, channelz) pass untouched.
"""

import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import Any, Final

import grpc
import grpc.aio
from google.protobuf.message import DecodeError, Message

from service_kit.caller import caller_from_metadata, enter
from service_kit.errors import InvalidArgument, ServiceError
from service_kit.logs import logger
from service_kit.metrics import Metrics
from service_kit.status import DETAILS_KEY, status_code, to_status
from service_kit.validation import validate

log = logger(__name__)

Translate = Callable[[Exception], ServiceError | None]
Context = grpc.aio.ServicerContext[Any, Any]
Handler = Any

OWN_PREFIX: Final = "/batonpass."


class Edge(grpc.aio.ServerInterceptor):
    """Wraps each handler once and remembers it.

    `translate` turns an exception of the service's own into a ServiceError; None means that it is unknown,
    and then the client learns nothing but INTERNAL while the log has all of it.
    """

    def __init__(
        self, metrics: Metrics, translate: Translate = lambda _: None, prefix: str = OWN_PREFIX
    ) -> None:
        self._metrics = metrics
        self._translate = translate
        self._prefix = prefix
        self._wrapped: dict[str, Handler] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """Called by gRPC for every RPC."""
        method = str(handler_call_details.method)
        if not method.startswith(self._prefix):
            return await continuation(handler_call_details)
        known = self._wrapped.get(method)
        if known is None:
            handler = await continuation(handler_call_details)
            if handler is None:
                return None
            known = self._wrapped[method] = _Method(self, method, handler).wrapped()
        return known

    @contextmanager
    def measured(self, service: str, method: str) -> Iterator["_Outcome"]:
        """Counts and times one RPC."""
        outcome, started = _Outcome(), time.monotonic()
        running = self._metrics.rpc_running.labels(service, method)
        running.inc()
        try:
            yield outcome
        finally:
            running.dec()
            self._metrics.rpc_seconds.labels(service, method).observe(time.monotonic() - started)
            self._metrics.rpc_total.labels(service, method, outcome.code).inc()

    def refusal(self, error: Exception, method: str) -> ServiceError:
        """What the client is told about `error`."""
        refusal = error if isinstance(error, ServiceError) else self._translate(error)
        if refusal is None:
            log.error("unexpected error", method=method, exc_info=error)
            return ServiceError("internal error; the service's log has the reason")
        return refusal


@dataclass
class _Outcome:
    code: str = "OK"


class _Method:
    """One RPC method: its own handler and the four shapes around it."""

    def __init__(self, edge: Edge, path: str, handler: Handler) -> None:
        _, self._service, self._name = path.split("/")
        self._edge, self._path, self._handler = edge, path, handler
        self._inner = (
            handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
        )
        self._streams_in = handler.request_streaming
        self._validates_itself = getattr(self._inner, "validates_itself", False)
        if handler.response_streaming and not inspect.isasyncgenfunction(self._inner):
            raise TypeError(f"{path}: a streaming handler is written as an async generator")

    def wrapped(self) -> Handler:
        """The handler that gRPC is given."""
        make = {
            (False, False): grpc.unary_unary_rpc_method_handler,
            (False, True): grpc.unary_stream_rpc_method_handler,
            (True, False): grpc.stream_unary_rpc_method_handler,
            (True, True): grpc.stream_stream_rpc_method_handler,
        }[self._handler.request_streaming, self._handler.response_streaming]
        around: Any = self._stream if self._handler.response_streaming else self._unary
        return make(around, self._decoded, self._handler.response_serializer)

    def _decoded(self, raw: bytes) -> Any:
        """The message, or what is wrong with it: an exception here would tell the client nothing."""
        try:
            return self._handler.request_deserializer(raw)
        except DecodeError:
            return InvalidArgument(
                f"{self._name} was sent bytes that are no message of its request type",
                reason="MALFORMED_MESSAGE",
            )

    async def _unary(self, request: Any, context: Context) -> Any:
        with self._edge.measured(self._service, self._name) as outcome:
            try:
                return await self._inner(self._admit(request, context), context)
            except BaseException as error:
                await self._fail(error, context, outcome)
                raise

    async def _stream(self, request: Any, context: Context) -> AsyncIterator[Any]:
        with self._edge.measured(self._service, self._name) as outcome:
            try:
                # Left by an exception, `async for` alone would leave the handler's clean-up to the collector.
                async with aclosing(self._inner(self._admit(request, context), context)) as responses:
                    async for response in responses:
                        yield response
            except BaseException as error:
                await self._fail(error, context, outcome)
                raise

    def _admit(self, request: Any, context: Context) -> Any:
        """The request, or the stream of requests, as the handler may see it. Raises InvalidArgument."""
        if not self._streams_in and not self._handler.response_streaming and context.time_remaining() is None:
            raise InvalidArgument(
                f"{self._name} needs a deadline: a unary call says how long its caller waits",
                reason="DEADLINE_REQUIRED",
            )
        check = _accept_any if self._validates_itself else validate
        admitted: Message | AsyncIterator[Message]
        if self._streams_in:
            admitted = _checked(request, check)
        else:
            check(admitted := _readable(request))
        enter(caller_from_metadata(context.invocation_metadata() or ()))
        return admitted

    async def _fail(self, error: BaseException, context: Context, outcome: _Outcome) -> None:
        """Ends the RPC with the status that belongs to `error`; what is no error of ours goes on as it is."""
        if isinstance(error, grpc.aio.AbortError):
            outcome.code = _code_name(context.code())
            return
        if not isinstance(error, Exception) or _is_hang_up(error):
            outcome.code = grpc.StatusCode.CANCELLED.name
            return
        if isinstance(error, NotImplementedError):
            outcome.code = grpc.StatusCode.UNIMPLEMENTED.name
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, f"{self._name} is not implemented")
        refusal = self._edge.refusal(error, self._path)
        status = to_status(refusal)
        outcome.code = status_code(refusal).name
        await context.abort(
            status_code(refusal), status.message, ((DETAILS_KEY, status.SerializeToString()),)
        )


async def _checked(requests: AsyncIterator[Any], check: Callable[[Message], None]) -> AsyncIterator[Message]:
    async for request in requests:
        message = _readable(request)
        check(message)
        yield message


def _readable(request: Any) -> Message:
    """Raises InvalidArgument for bytes that were no message."""
    if isinstance(request, InvalidArgument):
        raise request
    return request  # type: ignore[no-any-return]


def _accept_any(_: Message) -> None:
    """The handler judges its messages itself."""


def _is_hang_up(error: Exception) -> bool:
    """True for what gRPC raises in a handler whose client has already ended the call."""
    return isinstance(error, grpc.aio.UsageError) or type(error).__name__ == "ExecuteBatchError"


def _code_name(code: Any) -> str:
    """gRPC keeps a number or a StatusCode, whatever the handler gave it."""
    if isinstance(code, grpc.StatusCode):
        return code.name
    return next((known.name for known in grpc.StatusCode if known.value[0] == code), "UNKNOWN")
