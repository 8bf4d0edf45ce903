"""Group commit: what arrives while one flush is under way goes into the next, as one."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class GroupCommit(Generic[Item, Answer]):
    """Collects items of concurrent callers into flushes of at most `limit` items.

    `flush` gets the items in the order of their arrival and returns one answer for each, in the same order.
    One flush runs at a time: two would fight for the same rows and finish later (measured). An exception of
    `flush` reaches every caller of that flush and nobody else.
    """

    def __init__(self, flush: Callable[[list[Item]], Awaitable[list[Answer]]], limit: int = 500) -> None:
        if limit < 1:
            raise ValueError("limit must be at least 1")
        self._flush = flush
        self._limit = limit
        self._pending: deque[tuple[Item, asyncio.Future[Answer]]] = deque()
        self._flusher: asyncio.Task[None] | None = None
        self._closed = False

    def __len__(self) -> int:
        """Items that wait for a flush to begin."""
        return len(self._pending)

    async def submit(self, item: Item) -> Answer:
        """Returns the item's answer after the flush that carried it.

        Cancelling the caller never cancels the flush: an item that was submitted is flushed. Raises
        RuntimeError after `close`.
        """
        if self._closed:
            raise RuntimeError("the group is closed")
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._pending.append((item, answer))
        if self._flusher is None:
            self._flusher = asyncio.create_task(self._drain(), name="group-commit")
        return await answer

    async def close(self) -> None:
        """Refuses new items and returns when everything submitted before has been flushed."""
        self._closed = True
        if self._flusher is not None:
            await asyncio.shield(self._flusher)

    async def _drain(self) -> None:
        try:
            while self._pending:
                group = [self._pending.popleft() for _ in range(min(self._limit, len(self._pending)))]
                await self._flush_one([item for item, _ in group], [answer for _, answer in group])
        finally:
            # No await between the last look at `_pending` and here, so no item is left without a flusher.
            self._flusher = None

    async def _flush_one(self, items: list[Item], waiting: list[asyncio.Future[Answer]]) -> None:
        try:
            answers = await self._flush(items)
            if len(answers) != len(items):
                raise RuntimeError(f"flush of {len(items)} items gave {len(answers)} answers")
        except BaseException as error:
            _fail(waiting, error)
            if not isinstance(error, Exception):
                raise
            return
        for future, answer in zip(waiting, answers, strict=True):
            if not future.done():
                future.set_result(answer)


def _fail(waiting: list[asyncio.Future[Answer]], error: BaseException) -> None:
    for future in waiting:
        if future.done():
            continue
        if isinstance(error, asyncio.CancelledError):
            future.cancel()
        else:
            future.set_exception(error)
