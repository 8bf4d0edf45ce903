"""A queue that says what a test tells it to say: the dispatch service on a real grpc.aio server, without a
database.

    async with FakeDispatch() as fake:
        ... an agent connects to fake.target ...
        session = await fake.session()
        session.offer("t1", "name:resize")
        await session.until(lambda: session.results)
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Self

import grpc
import grpc.aio
from batonpass.options import SERVER_OPTIONS
from batonpass.queue.v1 import dispatch_service_pb2 as pb
from batonpass.queue.v1 import dispatch_service_pb2_grpc as rpc
from batonpass.queue.v1.executor_pb2 import Limits
from batonpass.queue.v1.task_pb2 import TaskTemplate
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

DEADLINE = 20.0

Key = tuple[int, int]


@dataclass
class Terms:
    """What Welcome says; short, so that tests are, but not so short that a busy machine misses a beat."""

    heartbeat: float = 0.4
    ttl: float = 4.0
    offer_timeout: float = 5.0
    max_tasks: int = 4


@dataclass
class FakeSession:
    """One stream. What the agent said is gathered by kind; keys are (task, lease_token)."""

    fake: "FakeDispatch"
    metadata: dict[str, str]
    hello: pb.Hello
    received: list[pb.DispatchRequest] = field(default_factory=list)
    credit: int = 0
    accepted: list[Key] = field(default_factory=list)
    declined: dict[Key, str] = field(default_factory=dict)
    revoke_acks: list[Key] = field(default_factory=list)
    results: dict[Key, pb.Result] = field(default_factory=dict)
    result_messages: int = 0
    beats: list[int] = field(default_factory=list)
    goodbye: str | None = None
    over: bool = False
    outgoing: "asyncio.Queue[pb.DispatchResponse | None]" = field(default_factory=asyncio.Queue)

    @property
    def held(self) -> list[Key]:
        """What Hello listed."""
        return keys(self.hello.held)

    def send(self, **message: Any) -> None:
        """Says one thing, such as `drain=pb.Drain()`."""
        self.outgoing.put_nowait(pb.DispatchResponse(**message))

    def end(self) -> None:
        """Ends the stream with OK."""
        self.outgoing.put_nowait(None)

    def offer(self, *offers: pb.Offer) -> None:
        """Proposes work, whatever credit there is."""
        self.credit -= len(offers)
        self.send(offers=pb.Offers(offers=offers))

    def revoke(self, *offers: pb.Offer) -> None:
        self.send(revoke=pb.Revoke(leases=refs(offers)))

    def cancel(self, *offers: pb.Offer, grace: float = 10.0) -> None:
        self.send(cancel=pb.Cancel(leases=refs(offers), grace=duration(grace)))

    def stale(self, *offers: pb.Offer) -> None:
        self.send(stale_lease=pb.StaleLease(leases=refs(offers)))

    def acknowledge(self, *offers: pb.Offer) -> None:
        self.send(results_ack=pb.ResultsAck(leases=refs(offers)))

    async def until(self, true: Callable[[], Any], what: str = "") -> None:
        """Waits until it is true; looked at after every message of an agent."""
        await self.fake.until(true, what)

    async def result(self, offer: pb.Offer) -> pb.Result:
        """The result of an offer, when it is there."""
        await self.until(lambda: key(offer) in self.results, f"a result of {offer.task_id}")
        return self.results[key(offer)]

    async def accept(self, offer: pb.Offer) -> None:
        """Waits for an Accept."""
        await self.until(lambda: key(offer) in self.accepted, f"an Accept of {offer.task_id}")

    def take(self, request: pb.DispatchRequest) -> None:
        """Gathers what the agent said, and answers as the fake is set to."""
        self.received.append(request)
        kind = request.WhichOneof("message")
        match kind:
            case "credit":
                self.credit += request.credit.offers
            case "accept":
                self.accepted += keys(request.accept.leases)
            case "decline":
                self.declined |= dict.fromkeys(keys(request.decline.leases), request.decline.reason)
            case "revoke_ack":
                self.revoke_acks += keys(request.revoke_ack.leases)
            case "heartbeat":
                self.beats.append(request.heartbeat.seq)
                if self.fake.acknowledges_beats:
                    ttl = duration(self.fake.terms.ttl)
                    self.send(heartbeat_ack=pb.HeartbeatAck(seq=request.heartbeat.seq, valid_for=ttl))
            case "results":
                self.result_messages += 1
                results = request.results.results
                self.results |= {(one.lease.task, one.lease.lease_token): one for one in results}
                if self.fake.acknowledges_results:
                    self.send(results_ack=pb.ResultsAck(leases=[one.lease for one in results]))
            case "goodbye":
                self.goodbye = request.goodbye.reason


class FakeDispatch(rpc.DispatchServiceServicer):
    """The server. `welcomes` False leaves every Hello unanswered; `keeps` says which held attempts go on."""

    def __init__(self, terms: Terms | None = None) -> None:
        self.terms = terms or Terms()
        self.sessions: list[FakeSession] = []
        self.welcomes = True
        self.acknowledges_beats = True
        self.acknowledges_results = True
        self.keeps: Callable[[Key], bool] = lambda _: True
        self.refuses: grpc.StatusCode | None = None
        self.refusals = 0
        self.target = ""
        self._news = asyncio.Condition()
        self._numbers = itertools.count(1)
        self._port = 0

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Serves, on the same port as before."""
        self._server = grpc.aio.server(options=SERVER_OPTIONS)
        rpc.add_DispatchServiceServicer_to_server(self, self._server)
        self._port = self._server.add_insecure_port(f"127.0.0.1:{self._port}")
        self.target = f"127.0.0.1:{self._port}"
        await self._server.start()

    async def stop(self) -> None:
        """Breaks every stream and stops listening."""
        await self._server.stop(None)

    def task(self, handler: str, payload: bytes = b"", timeout: float = 3600, **fields: Any) -> pb.Offer:
        """A new task, ready to be offered."""
        number = next(self._numbers)
        template = TaskTemplate(handler=handler, payload=payload, timeout=duration(timeout), queue="default")
        return pb.Offer(
            **{
                "task": number,
                "lease_token": 100 + number,
                "task_id": f"t{number}",
                "template": template,
                "attempt": 1,
                "chain": 1,
                **fields,
            }
        )

    async def session(self, number: int = 1) -> FakeSession:
        """The session with this number, 1 = first, when it has begun."""
        await self.until(lambda: len(self.sessions) >= number, f"session {number}")
        return self.sessions[number - 1]

    async def until(self, true: Callable[[], Any], what: str = "") -> None:
        """Waits until it is true; looked at after every message of an agent, and fails when that takes too
        long.
        """
        try:
            async with asyncio.timeout(DEADLINE), self._news:
                await self._news.wait_for(true)
        except TimeoutError:
            raise AssertionError(f"not in {DEADLINE:g} s: {what or true}") from None

    async def Dispatch(
        self, request_iterator: AsyncIterator[pb.DispatchRequest], context: Any
    ) -> AsyncIterator[pb.DispatchResponse]:
        """Documented in dispatch_service.proto."""
        if self.refuses is not None:
            self.refusals += 1
            await self._tell()
            await context.abort(self.refuses, "refused by the test")
        hello = (await anext(request_iterator)).hello
        session = FakeSession(self, dict(context.invocation_metadata()), hello)
        self.sessions.append(session)
        await self._tell()
        reader = asyncio.create_task(self._read(session, request_iterator))
        try:
            if self.welcomes:
                yield pb.DispatchResponse(welcome=self._welcome(session))
            while (message := await session.outgoing.get()) is not None:
                yield message
        finally:
            reader.cancel()
            session.over = True
            await self._tell()

    async def _read(self, session: FakeSession, requests: AsyncIterator[pb.DispatchRequest]) -> None:
        async for request in requests:
            session.take(request)
            await self._tell()
        session.end()

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()

    def _welcome(self, session: FakeSession) -> pb.Welcome:
        terms = self.terms
        time = Timestamp()
        time.GetCurrentTime()
        return pb.Welcome(
            session_epoch=len(self.sessions),
            heartbeat_interval=duration(terms.heartbeat),
            lease_ttl=duration(terms.ttl),
            offer_timeout=duration(terms.offer_timeout),
            held=[ref for ref in session.hello.held if self.keeps((ref.task, ref.lease_token))],
            limits=Limits(max_tasks=terms.max_tasks, max_cpu_percent=80, max_memory_percent=85),
            time=time,
        )


def key(offer: pb.Offer) -> Key:
    """The lease of an offer."""
    return offer.task, offer.lease_token


def keys(leases: Iterable[pb.LeaseRef]) -> list[Key]:
    """Leases as plain values."""
    return [(lease.task, lease.lease_token) for lease in leases]


def refs(offers: Iterable[pb.Offer]) -> list[pb.LeaseRef]:
    """Leases of offers."""
    return [pb.LeaseRef(task=offer.task, lease_token=offer.lease_token) for offer in offers]


def duration(seconds: float) -> Duration:
    """A length of time."""
    result = Duration()
    result.FromTimedelta(timedelta(seconds=seconds))
    return result
