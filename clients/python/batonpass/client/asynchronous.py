"""Carries calls out for asyncio."""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar

from batonpass.client.call import Call, Pages, Rpc, Stream
from batonpass.client.channels import open_aio_channel
from batonpass.client.endpoints import Side
from batonpass.client.retry import Retry, pause
from batonpass.client.setup import Setup, closed
from batonpass.client.signature import like
from batonpass.client.status import error_of

if TYPE_CHECKING:
    import grpc.aio

T = TypeVar("T")
P = ParamSpec("P")


class AsyncCaller:
    """Makes calls on at most one channel per service, opened when it is first needed, in the loop that
    needs it.
    """

    def __init__(self, setup: Setup, channels: Mapping[Side, "grpc.aio.Channel"]) -> None:
        self.retry = Retry()
        self._setup = setup
        self._metadata = setup.metadata()
        self._channels = dict(channels)
        self._callables: dict[str, Any] = {}
        self._closed = False

    @staticmethod
    def now() -> float:
        """The running loop's clock."""
        return asyncio.get_running_loop().time()

    async def run(self, call: Call[T]) -> T:
        """Makes a unary call, again while that is safe and useful, all within the client's timeout."""
        import grpc

        ask = self._callable(call.rpc, streams=False)
        until = self.now() + self._setup.timeout.total_seconds()
        failures = 0
        while True:
            left = max(0.0, until - self.now())
            try:
                return call.pick(await ask(call.request, timeout=left, metadata=self._metadata))
            except grpc.aio.AioRpcError as failed:
                error = error_of(failed)
            failures += 1
            wait = pause(self.retry, failures, error, until - self.now(), random.random())
            if wait is None or not call.repeatable:
                raise error
            await asyncio.sleep(wait)

    async def pages(self, pages: Pages[T]) -> AsyncIterator[T]:
        """Fetches page after page as the items are used."""
        token = ""
        while True:
            listed = await self.run(pages.call(token))
            for item in listed.items:
                yield item
            token = listed.next_page_token
            if not token:
                return

    async def stream(self, stream: Stream[T]) -> AsyncGenerator[T, None]:
        """Yields answers until the stream ends; closing the iterator ends the call."""
        import grpc

        timeout = stream.timeout.total_seconds() if stream.timeout else None
        answers = self._callable(stream.rpc, streams=True)(
            stream.request, timeout=timeout, metadata=self._metadata
        )
        try:
            async for answer in answers:
                yield stream.pick(answer)
        except grpc.aio.AioRpcError as failed:
            raise error_of(failed) from None
        finally:
            answers.cancel()

    async def close(self) -> None:
        """Ends all calls."""
        self._closed = True
        for channel in self._channels.values():
            await channel.close()

    def _callable(self, rpc: Rpc[Any], *, streams: bool) -> Any:
        found = self._callables.get(rpc.path)
        if found is None:
            channel = self._channel(rpc.side)
            make: Any = channel.unary_stream if streams else channel.unary_unary
            found = make(
                rpc.path, request_serializer=_serialize, response_deserializer=rpc.response.FromString
            )
            self._callables[rpc.path] = found
        return found

    def _channel(self, side: Side) -> "grpc.aio.Channel":
        if self._closed:
            raise closed()
        channel = self._channels.get(side)
        if channel is None:
            channel = open_aio_channel(self._setup.target(side), self._setup.tls_files())
            self._channels[side] = channel
        return channel


class HasCaller(Protocol):
    """A client."""

    @property
    def caller(self) -> AsyncCaller: ...


def unary(build: Callable[P, Call[T]]) -> Callable[Concatenate[HasCaller, P], Awaitable[T]]:
    """The method that makes the call that `build` describes."""

    async def method(self: HasCaller, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.caller.run(build(*args, **kwargs))

    made: Callable[Concatenate[HasCaller, P], Awaitable[T]] = like(build, method)
    return made


def chained(
    build: Callable[P, Sequence[Call[Sequence[T]]]],
) -> Callable[Concatenate[HasCaller, P], Awaitable[list[T]]]:
    """The method that makes several calls one after another and joins their results."""

    async def method(self: HasCaller, *args: P.args, **kwargs: P.kwargs) -> list[T]:
        return [item for call in build(*args, **kwargs) for item in await self.caller.run(call)]

    made: Callable[Concatenate[HasCaller, P], Awaitable[list[T]]] = like(build, method)
    return made


def listing(build: Callable[P, Pages[T]]) -> Callable[Concatenate[HasCaller, P], AsyncIterator[T]]:
    """The method that yields the items of all pages."""

    def method(self: HasCaller, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
        return self.caller.pages(build(*args, **kwargs))

    made: Callable[Concatenate[HasCaller, P], AsyncIterator[T]] = like(build, method)
    return made


def streaming(build: Callable[P, Stream[T]]) -> Callable[Concatenate[HasCaller, P], AsyncIterator[T]]:
    """The method that yields the answers of a stream."""

    def method(self: HasCaller, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
        return self.caller.stream(build(*args, **kwargs))

    made: Callable[Concatenate[HasCaller, P], AsyncIterator[T]] = like(build, method)
    return made


def _serialize(message: Any) -> bytes:
    data: bytes = message.SerializeToString()
    return data
