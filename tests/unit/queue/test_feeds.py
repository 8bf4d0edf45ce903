"""Bells, feeds and streams in front of stores that only pretend."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from queue_service.app.activity import MOST_BATCHES, ActivityFeed
from queue_service.app.bell import Bell, heard
from queue_service.app.due_tasks import WINDOW, DueTasks
from queue_service.domain.activity import Activity
from queue_service.domain.cursor import Cursor
from queue_service.domain.errors import WatchTooSlow
from queue_service.domain.states import Kind, State
from queue_service.domain.verdict import Known
from service_kit.clock import ManualClock
from service_kit.errors import DatabaseUnavailable, InvalidArgument
from tests.support.submissions import submission
from tests.support.waiting import until

NOW = datetime(2026, 1, 1, tzinfo=UTC)


async def test_a_bell_wakes_all_who_listen_and_nobody_else() -> None:
    bell = Bell()
    bell.ring()
    with bell.listening() as first, bell.listening() as second:
        assert not first.is_set()
        bell.ring()
        assert first.is_set()
        assert second.is_set()
    with bell.listening() as late:
        bell.close()
        assert late.is_set()
    assert bell.closed


async def test_a_ring_that_does_not_come_is_waited_for_no_longer_than_told() -> None:
    with Bell().listening() as rung:
        assert not await heard(rung, 0.001)


class FakeIntake:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.gate = asyncio.Event()
        self.failure: Exception | None = None

    async def has(self, calls: int) -> bool:
        return len(self.calls) >= calls

    async def take_in(self, submissions: list[Any]) -> list[Known]:
        self.calls.append([each.task_id for each in submissions])
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return [Known(1) for _ in submissions]


async def messages(number: int) -> AsyncIterator[tuple[int, list[Any]]]:
    for each in range(number):
        yield each, [submission(f"t{each}")]


async def test_a_stream_keeps_a_bounded_number_under_way_and_answers_in_order() -> None:
    intake = FakeIntake()
    due = DueTasks(intake, Bell())  # type: ignore[arg-type]
    answers = due.answers(messages(WINDOW * 3))
    first = asyncio.ensure_future(anext(answers))
    await until(lambda: intake.has(WINDOW), "a full window")
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(intake.calls) == WINDOW
    intake.gate.set()
    assert (await first)[0] == 0
    assert [request async for request, _ in answers] == list(range(1, WINDOW * 3))


async def test_items_that_are_errors_are_their_own_answers_in_their_place() -> None:
    intake = FakeIntake()
    intake.gate.set()
    wrong = InvalidArgument("no")

    async def one() -> AsyncIterator[tuple[str, list[Any]]]:
        yield "m", [wrong, submission("t"), wrong]
        yield "n", [wrong]

    answers = [answer async for answer in DueTasks(intake, Bell()).answers(one())]  # type: ignore[arg-type]
    assert answers == [("m", [wrong, Known(1), wrong]), ("n", [wrong])]
    assert intake.calls == [["t"]]


async def test_a_stream_fails_with_its_intake_or_its_requests() -> None:
    intake = FakeIntake()
    intake.gate.set()
    intake.failure = DatabaseUnavailable("away")
    with pytest.raises(DatabaseUnavailable):
        async for _ in DueTasks(intake, Bell()).answers(messages(3)):  # type: ignore[arg-type]
            pass

    async def broken() -> AsyncIterator[tuple[int, list[Any]]]:
        raise InvalidArgument("too many")
        yield 0, []

    with pytest.raises(InvalidArgument):
        async for _ in DueTasks(FakeIntake(), Bell()).answers(broken()):  # type: ignore[arg-type]
            pass


async def test_a_stream_that_stops_answers_what_it_has_read() -> None:
    intake, stopping = FakeIntake(), Bell()

    async def endless() -> AsyncIterator[tuple[int, list[Any]]]:
        yield 0, [submission("t")]
        await asyncio.Event().wait()

    answers = DueTasks(intake, stopping).answers(endless())  # type: ignore[arg-type]
    first = asyncio.ensure_future(anext(answers))
    await until(lambda: intake.has(1), "the first message")
    stopping.close()
    intake.gate.set()
    assert (await first)[0] == 0
    assert [answer async for answer in answers] == []


class FakeTrail:
    """An audit trail that is filled by hand."""

    def __init__(self) -> None:
        self.rows: list[Activity] = []
        self.failure: Exception | None = None

    async def end(self) -> Cursor:
        if self.failure is not None:
            raise self.failure
        return Cursor(len(self.rows), 0)

    async def after(self, cursor: Cursor, _since: datetime, limit: int) -> tuple[list[Activity], Cursor]:
        if self.failure is not None:
            raise self.failure
        found = self.rows[cursor.xid : cursor.xid + limit]
        return found, Cursor(cursor.xid + len(found), 0)


def activity(task_id: str) -> Activity:
    return Activity(NOW, Kind.ENQUEUED, "default", "default", task_id, State.WAITING, "", "", 5, 0, "", "")


@pytest.fixture
def trail() -> FakeTrail:
    return FakeTrail()


@pytest.fixture
def happened() -> Bell:
    return Bell()


@pytest.fixture
def feed(trail: FakeTrail, happened: Bell) -> ActivityFeed:
    return ActivityFeed(trail, ManualClock(NOW), happened, poll=timedelta(seconds=30))  # type: ignore[arg-type]


async def test_watchers_share_a_reader_that_ends_with_the_last(
    feed: ActivityFeed, trail: FakeTrail, happened: Bell
) -> None:
    watches = [feed.watch("default", "") for _ in range(3)]
    for watch in watches:
        assert await anext(watch) == []
    assert [task.get_name() for task in asyncio.all_tasks()].count("activity-reader") == 1
    trail.rows.append(activity("t"))
    happened.ring()
    for watch in watches:
        assert [each.task_id for each in await anext(watch)] == ["t"]
        await watch.aclose()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert "activity-reader" not in {task.get_name() for task in asyncio.all_tasks()}
    again = feed.watch("default", "")
    assert await anext(again) == []
    await again.aclose()


async def test_a_watcher_that_does_not_read_is_told_so_and_holds_up_nobody(
    feed: ActivityFeed, trail: FakeTrail, happened: Bell
) -> None:
    slow, quick = feed.watch("default", ""), feed.watch("default", "")
    await anext(slow)
    await anext(quick)
    for number in range(MOST_BATCHES + 10):
        trail.rows.append(activity(f"t{number}"))
        happened.ring()
        assert [each.task_id for each in await anext(quick)] == [f"t{number}"]
    with pytest.raises(WatchTooSlow):
        await _to_its_end(slow)
    await quick.aclose()


async def _to_its_end(watch: AsyncIterator[list[Activity]]) -> None:
    async for _ in watch:
        pass


async def test_a_database_that_goes_away_ends_the_watches(
    feed: ActivityFeed, trail: FakeTrail, happened: Bell
) -> None:
    watch = feed.watch("default", "")
    await anext(watch)
    trail.failure = DatabaseUnavailable("away")
    happened.ring()
    with pytest.raises(DatabaseUnavailable):
        await anext(watch)
    with pytest.raises(DatabaseUnavailable):
        await anext(feed.watch("default", ""))
    trail.failure = None
    again = feed.watch("default", "")
    assert await anext(again) == []
    await again.aclose()


async def test_watches_end_with_the_service(feed: ActivityFeed, happened: Bell) -> None:
    watch = feed.watch("default", "")
    await anext(watch)
    happened.close()
    with pytest.raises(StopAsyncIteration):
        await anext(watch)
