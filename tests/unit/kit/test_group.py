"""Group commit."""

import asyncio

import pytest

from service_kit.group import GroupCommit


class Flushes:
    """Records each flush and lets it end when it is told to."""

    def __init__(self) -> None:
        self.seen: list[list[int]] = []
        self.gate = asyncio.Semaphore(0)
        self.error: Exception | None = None

    async def __call__(self, items: list[int]) -> list[int]:
        self.seen.append(items)
        await self.gate.acquire()
        if self.error:
            raise self.error
        return [item * 10 for item in items]


async def submitted(group: GroupCommit[int, int], *items: int) -> list[asyncio.Task[int]]:
    tasks = [asyncio.create_task(group.submit(item)) for item in items]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


async def test_what_arrives_during_a_flush_goes_into_the_next_one() -> None:
    flushes = Flushes()
    group = GroupCommit(flushes, limit=10)
    first = await submitted(group, 1)
    others = await submitted(group, 2, 3, 4)
    assert len(group) == 3
    flushes.gate.release()
    flushes.gate.release()
    assert await asyncio.gather(*first, *others) == [10, 20, 30, 40]
    assert flushes.seen == [[1], [2, 3, 4]]


async def test_flush_holds_at_most_limit_items() -> None:
    flushes = Flushes()
    group = GroupCommit(flushes, limit=2)
    tasks = await submitted(group, 1, 2, 3, 4, 5)
    for _ in range(3):
        flushes.gate.release()
    assert await asyncio.gather(*tasks) == [10, 20, 30, 40, 50]
    assert flushes.seen == [[1, 2], [3, 4], [5]]


async def test_failed_flush_reaches_its_own_callers_only() -> None:
    flushes = Flushes()
    group = GroupCommit(flushes)
    (failing,) = await submitted(group, 1)
    (fine,) = await submitted(group, 2)
    flushes.error = RuntimeError("disk full")
    flushes.gate.release()
    with pytest.raises(RuntimeError, match="disk full"):
        await failing
    flushes.error = None
    flushes.gate.release()
    assert await fine == 20


async def test_cancelled_caller_does_not_cancel_the_flush() -> None:
    flushes = Flushes()
    group = GroupCommit(flushes)
    leaver, stayer = await submitted(group, 1, 2)
    leaver.cancel()
    flushes.gate.release()
    assert await stayer == 20
    assert flushes.seen == [[1, 2]]
    assert leaver.cancelled()


async def test_close_flushes_everything_and_refuses_more() -> None:
    flushes = Flushes()
    group = GroupCommit(flushes, limit=1)
    tasks = await submitted(group, 1, 2)
    closing = asyncio.create_task(group.close())
    flushes.gate.release()
    flushes.gate.release()
    await closing
    assert [task.result() for task in tasks] == [10, 20]
    with pytest.raises(RuntimeError, match="closed"):
        await group.submit(3)


async def test_wrong_number_of_answers_is_an_error() -> None:
    async def flush(_items: list[int]) -> list[int]:
        return []

    with pytest.raises(RuntimeError, match="gave 0 answers"):
        await GroupCommit(flush).submit(1)


async def test_group_starts_again_after_it_was_idle() -> None:
    flushes = Flushes()
    flushes.gate = asyncio.Semaphore(2)
    group = GroupCommit(flushes)
    assert await group.submit(1) == 10
    assert await group.submit(2) == 20


def test_limit_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="limit"):
        GroupCommit(Flushes(), limit=0)
