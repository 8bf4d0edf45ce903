"""The queue as its client sees it: a stream of due tasks out and verdicts in, and a stream of outcomes."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import grpc
import grpc.aio
from batonpass.queue.v1 import intake_service_pb2 as pb
from batonpass.queue.v1.intake_service_pb2_grpc import IntakeServiceStub

from scheduler_service.domain.calendar import Blackout, Calendar
from scheduler_service.domain.time_set import Span
from service_kit.errors import OutOfRange, Unavailable

MOST_TASKS: Final = 500
MOST_BYTES: Final = 900_000
"""Size of one message: the queue takes 1 MiB."""

LONGEST_REASON: Final = 200

UNARY_TIMEOUT: Final = timedelta(seconds=5)
CONNECT_TIMEOUT: Final = timedelta(seconds=3)
WRITE_TIMEOUT: Final = timedelta(seconds=30)


class QueueUnavailable(Unavailable):
    """The queue is not reachable, or has ended a stream."""

    default_reason = "QUEUE_UNAVAILABLE"


class CursorTooOld(OutOfRange):
    """The queue no longer keeps the outcomes after the cursor."""


class QueueClient:
    """Opens streams on one channel, which it does not own."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel
        self._stub: Any = IntakeServiceStub(channel)

    async def connected(self) -> None:
        """Returns when there is a connection. Raises QueueUnavailable when that takes longer than 3 s."""
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT.total_seconds()):
                await self._channel.channel_ready()
        except TimeoutError:
            raise QueueUnavailable("the queue is not reachable; due tasks wait in the outbox") from None

    def due_tasks(self) -> "DueTaskStream":
        """A new hand-over stream."""
        return DueTaskStream(self._stub.StreamDueTasks())

    async def set_holds(self, calendar: Calendar, version: int, periods: Sequence[Span]) -> None:
        """Replaces what the queue holds for a blackout; none lifts it. Raises QueueUnavailable."""
        blackout = calendar.definition.blackout or Blackout()
        request = pb.SetHoldsRequest(
            namespace=calendar.namespace, source=f"calendar/{calendar.calendar_id}", version=version
        )
        for start, until in periods:
            hold = request.holds.add(
                queue=blackout.queue,
                handler=blackout.handler,
                allow_priority=blackout.allow_priority,
                reason=calendar.definition.description[:LONGEST_REASON],
            )
            hold.from_time.FromDatetime(start)
            hold.until_time.FromDatetime(until)
        try:
            await self._stub.SetHolds(request, timeout=UNARY_TIMEOUT.total_seconds())
        except grpc.RpcError as error:
            raise _unavailable(error) from error

    def outcomes(self, cursor: str, *, all_tasks: bool, from_now: bool) -> "OutcomeStream":
        """Outcomes after `cursor`; from the end on with an empty one and `from_now`."""
        request = pb.WatchOutcomesRequest(cursor=cursor, all_tasks=all_tasks, from_now=from_now)
        return OutcomeStream(self._stub.WatchOutcomes(request))


class DueTaskStream:
    """One life of the hand-over stream."""

    def __init__(self, call: Any) -> None:
        self._call = call

    async def send(self, due_tasks: Sequence[bytes]) -> None:
        """Sends serialized due tasks, in order. Raises QueueUnavailable; some may have arrived."""
        for batch in batches(due_tasks):
            request = pb.StreamDueTasksRequest(tasks=[pb.DueTask.FromString(task) for task in batch])
            try:
                # A timeout ends the whole stream, which is what a peer that takes nothing deserves.
                await asyncio.wait_for(self._call.write(request), WRITE_TIMEOUT.total_seconds())
            except (grpc.RpcError, asyncio.InvalidStateError, grpc.aio.UsageError, TimeoutError) as error:
                raise _unavailable(error) from error

    async def receive(self) -> list[pb.DueTaskVerdict]:
        """The next verdicts. Raises QueueUnavailable when the stream has ended."""
        try:
            response = await self._call.read()
        except grpc.RpcError as error:
            raise _unavailable(error) from error
        if response is grpc.aio.EOF:
            raise QueueUnavailable("the queue has ended the hand-over stream")
        return list(response.verdicts)

    def close(self) -> None:
        """Ends the stream."""
        self._call.cancel()


class OutcomeStream:
    """One life of the outcome feed; `next` is never cancelled in between, since that would end the stream."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self._reading: asyncio.Future[Any] | None = None

    async def next(self, wake: asyncio.Event, seconds: float) -> pb.WatchOutcomesResponse | None:
        """The next response; None when `wake` is set or the time is over before.

        Raises QueueUnavailable when the stream has ended, CursorTooOld when its cursor is not kept any more.
        """
        self._reading = self._reading or asyncio.ensure_future(self._call.read())
        woken = asyncio.ensure_future(wake.wait())
        try:
            await asyncio.wait({self._reading, woken}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.cancel()
        if not self._reading.done():
            return None
        reading, self._reading = self._reading, None
        try:
            response = reading.result()
        except grpc.RpcError as error:
            raise _of_outcomes(error) from error
        if response is grpc.aio.EOF:
            raise await self._ended()
        return response  # type: ignore[no-any-return]

    def close(self) -> None:
        """Ends the stream."""
        self._call.cancel()
        if self._reading is not None:
            # Marks its error as seen: nobody reads any more.
            self._reading.add_done_callback(lambda reading: reading.cancelled() or reading.exception())

    async def _ended(self) -> Exception:
        if await self._call.code() is grpc.StatusCode.OUT_OF_RANGE:
            return CursorTooOld("the queue no longer keeps the outcomes after the cursor")
        return QueueUnavailable("the queue has ended the stream of outcomes")


def batches(due_tasks: Sequence[bytes]) -> list[list[bytes]]:
    """Cuts into messages of at most 500 tasks and 900,000 bytes, in order."""
    cut: list[list[bytes]] = []
    size = MOST_BYTES
    for task in due_tasks:
        # Tag and length of an element take at most 8 bytes.
        if size + len(task) + 8 > MOST_BYTES or len(cut[-1]) == MOST_TASKS:
            cut.append([])
            size = 0
        cut[-1].append(task)
        size += len(task) + 8
    return cut


def _of_outcomes(error: grpc.RpcError) -> Exception:
    if isinstance(error, grpc.aio.AioRpcError) and error.code() is grpc.StatusCode.OUT_OF_RANGE:
        return CursorTooOld("the queue no longer keeps the outcomes after the cursor")
    return _unavailable(error)


def _unavailable(error: BaseException) -> QueueUnavailable:
    if isinstance(error, grpc.aio.AioRpcError):
        return QueueUnavailable(f"the queue answers {error.code().name}: {error.details()}")
    return QueueUnavailable(f"the stream to the queue broke: {type(error).__name__}")
