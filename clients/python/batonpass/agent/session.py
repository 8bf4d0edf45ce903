"""One stream to the queue, from Hello to its end."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import grpc
import grpc.aio

from batonpass.agent import clock, host
from batonpass.agent.desk import Desk
from batonpass.agent.lease import Lease
from batonpass.agent.outbox import Outbox
from batonpass.client.status import error_of
from batonpass.queue.v1 import dispatch_service_pb2 as pb

log = logging.getLogger(__name__)

WELCOME_WITHIN: Final = 5.0
"""Seconds to wait for the queue's answer to Hello; short enough to ask another replica while the lease
holds.
"""

PATIENCE: Final = 1.5
"""Heartbeat intervals without an acknowledgement after which the stream counts as dead."""

LAST_WORDS: Final = 2.0
"""Seconds for the queue to end the stream after Goodbye."""


@dataclass(frozen=True)
class Ended:
    """How a session ended.

    `code` is the status of the stream. `welcomed` says whether the session ever began, `unanswered` that it
    may have begun at the queue all the same. `superseded_by` is the epoch of the session that took over, 0
    when this one had run out; None: it was not.
    """

    code: grpc.StatusCode
    details: str
    welcomed: bool
    unanswered: bool
    drained: bool
    left: bool
    superseded_by: int | None


class Session:
    """Carries messages between the stream and the desk, and keeps the lease alive.

    `renewed` is called with the new end of the lease at each acknowledged beat.
    """

    def __init__(self, desk: Desk, outbox: Outbox, lease: Lease, renewed: Callable[[float], None]) -> None:
        self._desk = desk
        self._outbox = outbox
        self._lease = lease
        self._renewed = renewed
        self._welcomed = asyncio.Event()
        self._listed = desk.held()
        self._given_up = asyncio.Event()
        self._interval = 5.0
        self._heard = 0.0
        self._drained = False
        self._said_hello = False
        self._superseded_by: int | None = None
        self._goodbye: str | None = None
        self._left = False
        self._trouble = ""

    async def run(self, stub: Any, hello: pb.Hello, metadata: Any) -> Ended:
        """Returns when the stream is over, whoever ended it."""
        hello.held.extend(attempt.ref() for attempt in self._listed)
        self._lease.hello(clock.now())
        call = stub.Dispatch(metadata=metadata)
        reader = asyncio.create_task(self._read(call))
        others = [asyncio.create_task(self._write(call, hello)), asyncio.create_task(self._beat())]
        try:
            await self._until_over(reader, others)
        finally:
            self._desk.end()
            call.cancel()
            for task in (reader, *others):
                task.cancel()
            await asyncio.gather(reader, *others, return_exceptions=True)
        return await self._summary(call)

    @property
    def is_open(self) -> bool:
        """Whether the queue has answered Hello."""
        return self._welcomed.is_set()

    def give_up(self, reason: str) -> None:
        """Breaks the stream, as if it had broken by itself."""
        self._trouble = reason
        self._given_up.set()

    def leave(self, reason: str) -> None:
        """Says Goodbye after everything else, and ends the session. Nothing may run any more."""
        self._goodbye = reason
        self._outbox.ready.set()

    async def _until_over(self, reader: asyncio.Task[None], others: list[asyncio.Task[None]]) -> None:
        """The reader sees the end of the stream; the others end early when something is wrong, or leaving."""
        await asyncio.wait({reader, *others}, return_when=asyncio.FIRST_COMPLETED)
        if self._left and not reader.done():
            await asyncio.wait({reader}, timeout=LAST_WORDS)
        for task in (reader, *others):
            error = task.exception() if task.done() else None
            if error is not None and not isinstance(error, grpc.RpcError | asyncio.InvalidStateError):
                log.error("the session failed", exc_info=error)
                self._trouble = repr(error)

    async def _summary(self, call: Any) -> Ended:
        code = await call.code()
        return Ended(
            code,
            self._trouble or await _reason(call, code),
            self._welcomed.is_set(),
            self._said_hello and not self._welcomed.is_set(),
            self._drained,
            self._left,
            self._superseded_by,
        )

    async def _read(self, call: Any) -> None:
        while (message := await call.read()) is not grpc.aio.EOF:
            kind = message.WhichOneof("message")
            action = self._actions.get(kind)
            # A message of a newer queue says nothing to this agent.
            if action is not None and action(self, getattr(message, kind)) is False:
                return

    async def _write(self, call: Any, hello: pb.Hello) -> None:
        await call.write(pb.DispatchRequest(hello=hello))
        self._said_hello = True
        await self._welcomed.wait()
        loop, ready = asyncio.get_running_loop(), self._outbox.ready
        while True:
            await ready.wait()
            self._desk.ask_for_more()
            for message in self._outbox.take(loop.time()):
                await call.write(message)
            if self._goodbye is not None and not ready.is_set():
                break
        self._left = True
        await call.write(pb.DispatchRequest(goodbye=pb.Goodbye(reason=self._goodbye)))
        await call.done_writing()

    async def _beat(self) -> None:
        """Beats until nobody answers any more."""
        try:
            async with asyncio.timeout(WELCOME_WITHIN):
                await self._welcomed.wait()
        except TimeoutError:
            self._trouble = f"no Welcome within {WELCOME_WITHIN:g} s"
            return
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._interval):
                    await self._given_up.wait()
                return
            now = clock.now()
            if now - self._heard > PATIENCE * self._interval:
                self._trouble = f"no heartbeat was acknowledged for {now - self._heard:.1f} s"
                return
            beat = pb.Heartbeat(seq=self._lease.beat(now), load=host.load())
            self._outbox.say(pb.DispatchRequest(heartbeat=beat))

    def _on_welcome(self, welcome: pb.Welcome) -> bool:
        self._interval = welcome.heartbeat_interval.ToTimedelta().total_seconds()
        self._acknowledge(0, welcome.lease_ttl.ToTimedelta().total_seconds())
        if not self._desk.begin(welcome, self._listed):
            self._trouble = "work was stopped while the session began"
            return False
        self._welcomed.set()
        log.info(
            "connected to the queue, session %d, %d attempts go on", welcome.session_epoch, len(welcome.held)
        )
        return True

    def _on_offers(self, offers: pb.Offers) -> None:
        self._desk.offers(offers.offers)

    def _on_revoke(self, revoke: pb.Revoke) -> None:
        self._desk.revoke(revoke.leases)

    def _on_cancel(self, cancel: pb.Cancel) -> None:
        self._desk.cancel(cancel.leases, cancel.grace.ToTimedelta().total_seconds())

    def _on_heartbeat_ack(self, ack: pb.HeartbeatAck) -> None:
        self._acknowledge(ack.seq, ack.valid_for.ToTimedelta().total_seconds())

    def _on_results_ack(self, ack: pb.ResultsAck) -> None:
        self._desk.acknowledged(ack.leases)

    def _on_stale_lease(self, stale: pb.StaleLease) -> None:
        log.warning("%d attempts are not this agent's any more", len(stale.leases))
        self._desk.stale(stale.leases)

    def _on_drain(self, _: pb.Drain) -> None:
        self._drained = True

    def _on_superseded(self, superseded: pb.Superseded) -> None:
        self._superseded_by = superseded.session_epoch

    def _on_refused(self, refused: pb.Refused) -> None:
        log.error("the queue refused a message: %s %s", refused.field, refused.message)

    _actions: Final[dict[str | None, Callable[..., bool | None]]] = {
        "welcome": _on_welcome,
        "offers": _on_offers,
        "revoke": _on_revoke,
        "cancel": _on_cancel,
        "heartbeat_ack": _on_heartbeat_ack,
        "results_ack": _on_results_ack,
        "stale_lease": _on_stale_lease,
        "drain": _on_drain,
        "superseded": _on_superseded,
        "refused": _on_refused,
    }

    def _acknowledge(self, seq: int, valid_for: float) -> None:
        if self._lease.acknowledged(seq, valid_for):
            self._heard = clock.now()
            self._renewed(self._lease.until)


async def _reason(call: Any, code: grpc.StatusCode) -> str:
    """Why a stream ended, in words; broken rules of the Hello are named field by field."""
    if code is grpc.StatusCode.OK:
        return "the queue ended the stream"
    details, trailers = await call.details(), await call.trailing_metadata()
    return str(error_of(grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailers, details)))
