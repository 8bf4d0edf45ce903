"""A small agent on a real stream: says what a test tells it to say, and keeps what it is told."""

import asyncio
import uuid
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

import grpc
import grpc.aio
from batonpass.options import CLIENT_OPTIONS, caller_metadata
from batonpass.queue.v1 import dispatch_service_pb2 as pb
from batonpass.queue.v1 import dispatch_service_pb2_grpc, task_pb2

PATIENCE = 15.0
"""Seconds until a message that does not come fails the test."""

SUCCEEDED = task_pb2.ATTEMPT_RESULT_SUCCEEDED
FAILED = task_pb2.ATTEMPT_RESULT_FAILED
CANCELLED = task_pb2.ATTEMPT_RESULT_CANCELLED

Ref = tuple[int, int]


def ref(offer: pb.Offer) -> Ref:
    """Task and token of an offer."""
    return offer.task, offer.lease_token


def refs(leases: Iterable[pb.LeaseRef]) -> list[Ref]:
    """Task and token of each."""
    return [(lease.task, lease.lease_token) for lease in leases]


class Agent:
    """One stream at a time; reconnecting keeps the instance. Reads all the time unless `reads` is false."""

    def __init__(
        self,
        address: str,
        name: str = "a",
        *,
        instance: str | None = None,
        namespace: str = "default",
        reads: bool = True,
        **hello: Any,
    ) -> None:
        self.name = name
        self.instance = instance or str(uuid.uuid4())
        self._address = address
        self._namespace = namespace
        self._reads = reads
        self._hello = {"handlers": ["noop"], **hello}
        self._channel: grpc.aio.Channel | None = None
        self._call: Any = None
        self._reader: asyncio.Task[None] | None = None
        self._beater: asyncio.Task[None] | None = None
        self._news = asyncio.Condition()
        self._speaking = asyncio.Lock()
        self._seq = 0
        self.received: dict[str, list[Any]] = {}
        self.welcome = pb.Welcome()
        self.code: grpc.StatusCode | None = None
        """Status that the stream ended with; None while it is open."""

    async def connect(self, held: Iterable[Ref] = (), *, credit: int = 0, beats: bool = False) -> pb.Welcome:
        """Opens a stream and waits for the Welcome."""
        await self.open()
        await self.say(
            hello=pb.Hello(
                executor=self.name,
                instance_id=self.instance,
                held=[pb.LeaseRef(task=task, lease_token=token) for task, token in held],
                **self._hello,
            )
        )
        self.welcome = await self.expect("welcome")
        if credit:
            await self.say(credit=pb.Credit(offers=credit))
        if beats:
            interval = self.welcome.heartbeat_interval.ToTimedelta().total_seconds()
            self._beater = asyncio.create_task(self._beat_for_ever(interval))
        return self.welcome

    async def open(self) -> None:
        """Opens a stream and says nothing."""
        await self.disconnect()
        self.received, self.code, self._seq = {}, None, 0
        self._channel = grpc.aio.insecure_channel(self._address, options=CLIENT_OPTIONS)
        stub = dispatch_service_pb2_grpc.DispatchServiceStub(self._channel)
        self._call = stub.Dispatch(metadata=caller_metadata(self._namespace, "test"))
        if self._reads:
            self._reader = asyncio.create_task(self._read())

    async def say(self, **message: Any) -> None:
        """Sends one message: `say(credit=...)`."""
        # Two writes at a time end the call.
        async with self._speaking:
            await self._call.write(pb.DispatchRequest(**message))

    async def accept(self, leases: Iterable[Ref]) -> None:
        """Starts offers."""
        await self.say(accept=pb.Accept(leases=_leases(leases)))

    async def decline(self, leases: Iterable[Ref], reason: str = "") -> None:
        """Does not want offers."""
        await self.say(decline=pb.Decline(leases=_leases(leases), reason=reason))

    async def finish(self, leases: Iterable[Ref], result: int = SUCCEEDED, **facts: Any) -> None:
        """Reports the same result for each."""
        results = [pb.Result(lease=lease, result=result, **facts) for lease in _leases(leases)]
        await self.say(results=pb.Results(results=results))

    async def beat(self) -> None:
        """Sends a heartbeat."""
        self._seq += 1
        await self.say(heartbeat=pb.Heartbeat(seq=self._seq))

    async def expect(self, kind: str, seconds: float = PATIENCE) -> Any:
        """The next message of a kind; messages of other kinds stay."""
        async with asyncio.timeout(seconds), self._news:
            await self._news.wait_for(lambda: self.received.get(kind) or self.code is not None)
            if not self.received.get(kind):
                raise AssertionError(f"the stream ended with {self.code} before a {kind}")
            return self.received[kind].pop(0)

    async def offers(self, count: int = 1, seconds: float = PATIENCE) -> list[pb.Offer]:
        """The next `count` offers or more, in as many messages as it takes."""
        found: list[pb.Offer] = []
        while len(found) < count:
            found += (await self.expect("offers", seconds)).offers
        return found

    async def acknowledged(self, count: int) -> list[Ref]:
        """The next `count` acknowledged results."""
        found: list[Ref] = []
        while len(found) < count:
            found += refs((await self.expect("results_ack")).leases)
        return found

    async def silent(self, kind: str) -> bool:
        """True when nothing of a kind has come by the time an own heartbeat is answered."""
        await self.beat()
        await self.expect("heartbeat_ack")
        return not self.received.get(kind)

    async def ended(self) -> grpc.StatusCode:
        """Waits for the end of the stream."""
        async with asyncio.timeout(PATIENCE), self._news:
            await self._news.wait_for(lambda: self.code is not None)
        assert self.code is not None
        return self.code

    async def goodbye(self, reason: str = "") -> None:
        """Ends the session cleanly."""
        await self.say(goodbye=pb.Goodbye(reason=reason))
        await self.ended()

    async def disconnect(self) -> None:
        """Breaks the stream, as a network does."""
        for task in (self._beater, self._reader):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        self._reader = self._beater = None
        if self._call is not None:
            self._call.cancel()
        if self._channel is not None:
            await self._channel.close()
        self._channel = self._call = None

    def stop_beating(self) -> None:
        """The stream stays open, but the agent gives no more signs of life."""
        if self._beater is not None:
            self._beater.cancel()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.disconnect()

    async def _read(self) -> None:
        try:
            while (response := await self._call.read()) is not grpc.aio.EOF:
                kind = response.WhichOneof("message")
                async with self._news:
                    self.received.setdefault(kind, []).append(getattr(response, kind))
                    self._news.notify_all()
            code = await self._call.code()
        except grpc.aio.AioRpcError as error:
            code = error.code()
        async with self._news:
            self.code = code
            self._news.notify_all()

    async def _beat_for_ever(self, interval: float) -> None:
        while True:
            await self.beat()
            await asyncio.sleep(interval)


def _leases(leases: Iterable[Ref]) -> list[pb.LeaseRef]:
    return [pb.LeaseRef(task=task, lease_token=token) for task, token in leases]
