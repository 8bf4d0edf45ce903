"""Carries calls out for blocking code."""

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar

from batonpass.client.call import Call, Pages, Rpc, Stream
from batonpass.client.channels import open_channel
from batonpass.client.endpoints import Side
from batonpass.client.retry import Retry, pause
from batonpass.client.setup import Setup, closed
from batonpass.client.signature import like
from batonpass.client.status import error_of

if TYPE_CHECKING:
    import grpc

T = TypeVar("T")
P = ParamSpec("P")


class Time(Protocol):
    """Seconds that only go up, and a way to let them pass."""

    def time(self) -> float: ...

    def sleep_for(self, duration: float) -> None: ...


class RealTime:
    """The machine's monotonic clock."""

    def time(self) -> float:
        return time.monotonic()

    def sleep_for(self, duration: float) -> None:
        time.sleep(duration)


class Caller:
    """Makes calls on at most one channel per service, opened when it is first needed. Safe for threads."""

    def __init__(self, setup: Setup, channels: Mapping[Side, "grpc.Channel"], clock: Time) -> None:
        self.retry = Retry()
        self.clock = clock
        self._setup = setup
        self._metadata = setup.metadata()
        self._channels = dict(channels)
        self._callables: dict[str, Any] = {}
        self._closed = False
        self._lock = threading.Lock()

    def run(self, call: Call[T]) -> T:
        """Makes a unary call, again while that is safe and useful, all within the client's timeout."""
        import grpc

        ask = self._callable(call.rpc, streams=False)
        until = self.clock.time() + self._setup.timeout.total_seconds()
        failures = 0
        while True:
            left = max(0.0, until - self.clock.time())
            try:
                return call.pick(ask(call.request, timeout=left, metadata=self._metadata))
            except grpc.RpcError as failed:
                error = error_of(failed)  # type: ignore[arg-type]
            failures += 1
            wait = pause(self.retry, failures, error, until - self.clock.time(), random.random())
            if wait is None or not call.repeatable:
                raise error
            self.clock.sleep_for(wait)

    def pages(self, pages: Pages[T]) -> Iterator[T]:
        """Fetches page after page as the items are used."""
        token = ""
        while True:
            listed = self.run(pages.call(token))
            yield from listed.items
            token = listed.next_page_token
            if not token:
                return

    def stream(self, stream: Stream[T]) -> Iterator[T]:
        """Yields answers until the stream ends; leaving the iteration ends the call."""
        import grpc

        timeout = stream.timeout.total_seconds() if stream.timeout else None
        answers = self._callable(stream.rpc, streams=True)(
            stream.request, timeout=timeout, metadata=self._metadata
        )
        try:
            for answer in answers:
                yield stream.pick(answer)
        except grpc.RpcError as failed:
            raise error_of(failed) from None  # type: ignore[arg-type]
        finally:
            answers.cancel()

    def close(self) -> None:
        """Ends all calls."""
        with self._lock:
            self._closed = True
            channels = list(self._channels.values())
        for channel in channels:
            channel.close()

    def _callable(self, rpc: Rpc[Any], *, streams: bool) -> Any:
        found = self._callables.get(rpc.path)
        if found is None:
            channel = self._channel(rpc.side)
            make = channel.unary_stream if streams else channel.unary_unary
            found = make(
                rpc.path,
                request_serializer=_serialize,
                response_deserializer=rpc.response.FromString,
            )
            self._callables[rpc.path] = found
        return found

    def _channel(self, side: Side) -> "grpc.Channel":
        with self._lock:
            if self._closed:
                raise closed()
            channel = self._channels.get(side)
            if channel is None:
                channel = open_channel(self._setup.target(side), self._setup.tls_files())
                self._channels[side] = channel
            return channel


class HasCaller(Protocol):
    """A client."""

    @property
    def caller(self) -> Caller: ...


def unary(build: Callable[P, Call[T]]) -> Callable[Concatenate[HasCaller, P], T]:
    """The method that makes the call that `build` describes."""

    def method(self: HasCaller, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.caller.run(build(*args, **kwargs))

    made: Callable[Concatenate[HasCaller, P], T] = like(build, method)
    return made


def chained(build: Callable[P, Sequence[Call[Sequence[T]]]]) -> Callable[Concatenate[HasCaller, P], list[T]]:
    """The method that makes several calls one after another and joins their results."""

    def method(self: HasCaller, *args: P.args, **kwargs: P.kwargs) -> list[T]:
        return [item for call in build(*args, **kwargs) for item in self.caller.run(call)]

    made: Callable[Concatenate[HasCaller, P], list[T]] = like(build, method)
    return made


def listing(build: Callable[P, Pages[T]]) -> Callable[Concatenate[HasCaller, P], Iterator[T]]:
    """The method that yields the items of all pages."""

    def method(self: HasCaller, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        return self.caller.pages(build(*args, **kwargs))

    made: Callable[Concatenate[HasCaller, P], Iterator[T]] = like(build, method)
    return made


def streaming(build: Callable[P, Stream[T]]) -> Callable[Concatenate[HasCaller, P], Iterator[T]]:
    """The method that yields the answers of a stream."""

    def method(self: HasCaller, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        return self.caller.stream(build(*args, **kwargs))

    made: Callable[Concatenate[HasCaller, P], Iterator[T]] = like(build, method)
    return made


def _serialize(message: Any) -> bytes:
    data: bytes = message.SerializeToString()
    return data
