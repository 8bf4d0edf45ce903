"""Hands due tasks over to the queue: at least once, in order within a schedule, until each has its verdict.

The outbox is the truth. Parcels are marked before they are sent, so that deleting a schedule removes only
what never left; after a break everything without a verdict is sent again, oldest first and before anything
new. The queue tells repeats by the fire id.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from batonpass.queue.v1 import intake_service_pb2 as pb

from scheduler_service.app.metrics import SchedulerMetrics
from scheduler_service.app.queue_client import DueTaskStream, QueueUnavailable
from scheduler_service.app.refusals import Refusals
from scheduler_service.app.shards import Shards
from scheduler_service.app.signals import Signals
from scheduler_service.app.window import Window
from scheduler_service.domain.fire import Disposition
from scheduler_service.store.outbox import Outbox, Parcel
from scheduler_service.store.tables import SHARDS
from service_kit.clock import Clock
from service_kit.durations import spelled
from service_kit.errors import DatabaseUnavailable
from service_kit.health import Health
from service_kit.logs import logger

log = logger(__name__)

PAGE: Final = 500
VERDICT_TIMEOUT: Final = timedelta(seconds=30)
"""A verdict that takes longer is lost: the stream is opened again and everything unanswered resent."""

_DISPOSITIONS: Final = {
    pb.VERDICT_CREATED: Disposition.FIRED,
    pb.VERDICT_DUPLICATE: Disposition.FIRED,
    pb.VERDICT_SKIPPED_OVERLAP: Disposition.SKIPPED_OVERLAP,
    pb.VERDICT_REJECTED: Disposition.REJECTED,
}


class Queue(Protocol):
    """`QueueClient`, as far as it is needed here."""

    async def connected(self) -> None: ...

    def due_tasks(self) -> DueTaskStream: ...


@dataclass(slots=True)
class _Resend:
    """A pass over what was sent up to `sent_until` and has no verdict."""

    sent_until: datetime
    after: int = 0


class Handover:
    """One stream per replica. `step` sends what there is room for; verdicts arrive in the background."""

    def __init__(
        self,
        outbox: Outbox,
        shards: Shards,
        queue: Queue,
        window: Window,
        clock: Clock,
        signals: Signals,
        metrics: SchedulerMetrics,
        health: Health,
    ) -> None:
        self._outbox = outbox
        self._shards = shards
        self._queue = queue
        self._window = window
        self._clock = clock
        self._signals = signals
        self._metrics = metrics
        self._health = health
        self._refusals = Refusals()
        self._stream: DueTaskStream | None = None
        self._receiver: asyncio.Task[None] | None = None
        self._broken: QueueUnavailable | None = None
        self._covered: frozenset[int] = frozenset()
        self._resend: _Resend | None = None
        self._swept: datetime | None = None

    async def step(self) -> float | None:
        """Sends once; returns 0 when there may be more, None when it waits for something to happen.

        Raises QueueUnavailable when the queue is away: what is unanswered stays in the outbox.
        """
        try:
            stream = await self._connect()
            return await self._send(stream, self._clock.now())
        except QueueUnavailable as trouble:
            self._disconnect()
            # Schedules are kept and come due all the same; only what is due waits.
            await self._health.not_serving(trouble.message, "queue", calls_work=True)
            raise
        except DatabaseUnavailable:
            # Parcels may have been marked as sent without being known here.
            self._covered = frozenset()
            raise

    async def close(self) -> None:
        """Ends the stream; another replica, or the next start, sends what is unanswered."""
        receiver = self._receiver
        self._disconnect()
        if receiver is not None:
            await asyncio.gather(receiver, return_exceptions=True)

    async def _connect(self) -> DueTaskStream:
        if self._broken is not None:
            raise self._broken
        if self._stream is None:
            try:
                await self._queue.connected()
            except QueueUnavailable:
                await self._shards.release()
                raise
            self._stream = self._queue.due_tasks()
            self._receiver = asyncio.create_task(self._receive(self._stream), name="handover-verdicts")
            self._covered, self._resend = frozenset(), None
            self._metrics.queue_connected.set(1)
            await self._health.serving("queue")
        return self._stream

    def _disconnect(self) -> None:
        if self._stream is not None:
            self._stream.close()
        self._stream = self._receiver = self._broken = None
        self._window.forget()
        self._metrics.queue_connected.set(0)

    async def _send(self, stream: DueTaskStream, now: datetime) -> float | None:
        if self._window.oldest is not None and now - self._window.oldest > VERDICT_TIMEOUT:
            raise QueueUnavailable(f"the queue gave no verdict for {spelled(VERDICT_TIMEOUT)}")
        shards = await self._shards.take(now, self._window.shards)
        self._signals.sends_all = len(shards) == SHARDS
        self._metrics.shards.set(len(shards))
        self._plan_resend(shards, now)
        if not shards or not self._window.room:
            return None
        limit, is_resend = min(PAGE, self._window.room), self._resend is not None
        parcels = await self._next(shards, limit, now)
        self._window.add(parcels, now)
        self._metrics.in_flight.set(len(self._window))
        await stream.send([parcel.due_task for parcel in parcels])
        return 0.0 if is_resend or len(parcels) == limit else None

    async def _next(self, shards: frozenset[int], limit: int, now: datetime) -> list[Parcel]:
        """What goes out next: repeats first, then what is new."""
        if self._resend is None:
            return await self._outbox.take_unsent(shards, limit, now)
        parcels = await self._outbox.unanswered(
            shards, self._resend.after, self._resend.sent_until, limit, self._window.fires
        )
        if len(parcels) < limit:
            self._resend = None
        else:
            self._resend.after = parcels[-1].fire
        if parcels:
            log.info("sending again what has no verdict", parcels=len(parcels))
        return parcels

    def _plan_resend(self, shards: frozenset[int], now: datetime) -> None:
        """A new stream or shard starts with what is unanswered; now and then so does what others forgot."""
        if shards - self._covered or self._shards.were_lost():
            self._resend = _Resend(now)
        elif self._resend is None and self._swept is not None and now - self._swept > VERDICT_TIMEOUT:
            self._resend = _Resend(now - VERDICT_TIMEOUT)
        if self._resend is not None:
            self._swept = now
        self._covered = shards

    async def _receive(self, stream: DueTaskStream) -> None:
        """Takes verdicts until the stream ends, then wakes the loop to open another one."""
        try:
            while True:
                self._take(await stream.receive())
        except QueueUnavailable as error:
            if self._stream is stream:
                self._broken = error
                self._signals.outbox.set()

    def _take(self, verdicts: list[pb.DueTaskVerdict]) -> None:
        now = self._clock.now()
        for verdict in verdicts:
            disposition = _DISPOSITIONS.get(verdict.verdict)
            if disposition is None:
                log.error("verdict is not known", task_id=verdict.task_id, verdict=int(verdict.verdict))
                continue
            detail = verdict.blocking_task_id or verdict.reason
            sent = self._window.answer((verdict.namespace, verdict.task_id), disposition, detail)
            if sent is None:
                continue
            self._metrics.handover_seconds.observe(max(0.0, (now - sent.at).total_seconds()))
            if disposition is Disposition.REJECTED:
                self._refusals.tell(sent.parcel, detail, now)
        self._signals.verdicts.set()
