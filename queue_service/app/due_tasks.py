"""Due tasks of schedulers: a stream of requests in, an answer for each out."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Final, TypeAlias, TypeVar

from queue_service.app.bell import Bell
from queue_service.app.intake import Intake
from queue_service.app.submissions import refusal
from queue_service.domain.task import Submission
from queue_service.domain.verdict import Created, KeptOut, Known
from service_kit.errors import ServiceError

WINDOW: Final = 8
"""Requests of one stream that are under way at a time."""

Request = TypeVar("Request")
Item: TypeAlias = Submission | ServiceError
Answer: TypeAlias = Created | Known | KeptOut | ServiceError
UnderWay: TypeAlias = asyncio.Queue[tuple[Request, asyncio.Task[list[Answer]]] | None]


class DueTasks:
    """`stopping` is closed when the service winds up: streams end then."""

    def __init__(self, intake: Intake, stopping: Bell) -> None:
        self._intake = intake
        self._stopping = stopping

    async def answers(
        self, requests: AsyncIterator[tuple[Request, list[Item]]]
    ) -> AsyncGenerator[tuple[Request, list[Answer]], None]:
        """The requests, in order, each with one answer per item; items that are errors are their own answer.

        Several are under way at once; the tasks of one schedule are judged in the order they came. Ends with
        the requests, or when the service stops. Raises DatabaseUnavailable, IntakeFull.
        """
        under_way: UnderWay[Request] = asyncio.Queue()
        room = asyncio.Semaphore(WINDOW)
        reader = asyncio.create_task(self._read(requests, under_way, room), name="due-task-reader")
        stopper = asyncio.create_task(self._stop(reader), name="due-task-stopper")
        try:
            while (oldest := await under_way.get()) is not None:
                request, judging = oldest
                yield request, await judging
                room.release()
            if not self._stopping.closed:
                await reader
        finally:
            for task in (stopper, reader, *_left(under_way)):
                task.cancel()

    async def _read(
        self,
        requests: AsyncIterator[tuple[Request, list[Item]]],
        under_way: "UnderWay[Request]",
        room: asyncio.Semaphore,
    ) -> None:
        """Begins with requests in the order they come; None in the end."""
        try:
            async for request, items in requests:
                await room.acquire()
                under_way.put_nowait((request, asyncio.create_task(self._judge(items))))
        finally:
            under_way.put_nowait(None)

    async def _stop(self, reader: "asyncio.Task[None]") -> None:
        """Ends the reading when the service stops; what was read is answered."""
        with self._stopping.listening() as rung:
            while not self._stopping.closed:
                rung.clear()
                await rung.wait()
        reader.cancel()

    async def _judge(self, items: Sequence[Item]) -> list[Answer]:
        wanted = [item for item in items if isinstance(item, Submission)]
        verdicts = iter(await self._intake.take_in(wanted) if wanted else ())
        answers: list[Answer] = []
        for item in items:
            if isinstance(item, ServiceError):
                answers.append(item)
                continue
            verdict = next(verdicts)
            if isinstance(verdict, Created | Known | KeptOut):
                answers.append(verdict)
            else:
                answers.append(refusal(item, verdict))
        return answers


def _left(under_way: UnderWay[Request]) -> list[asyncio.Task[list[Answer]]]:
    """What nobody waits for any more; tasks that intake has been handed are stored all the same."""
    left = [under_way.get_nowait() for _ in range(under_way.qsize())]
    return [judging for _, judging in filter(None, left)]
