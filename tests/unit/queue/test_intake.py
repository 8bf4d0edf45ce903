"""Intake in front of a store that only remembers: rounds, bounds, who is told."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from queue_service.app.intake import MOST_PENDING, OVERHEAD, Intake
from queue_service.domain.errors import IntakeFull
from queue_service.domain.limits import Limits
from queue_service.domain.order import Candidate
from queue_service.domain.overlap import Overlap
from queue_service.domain.task import Origin, Submission
from queue_service.domain.verdict import (
    Created,
    Different,
    KeptOut,
    Known,
    TooLarge,
    TooOld,
    Verdict,
    said_again,
)
from queue_service.store.intake import TakenIn
from service_kit.clock import ManualClock
from service_kit.errors import DatabaseUnavailable
from tests.support.submissions import submission

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WEEK = timedelta(days=7)


class FakeStore:
    """Keeps what it is given by key; `gate` holds every call up while it is clear."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.kept: dict[tuple[str, str, str], tuple[int, bytes]] = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self.failure: Exception | None = None
        self.also = TakenIn([])

    async def take_in(self, submissions: Sequence[Submission], now: datetime) -> TakenIn:
        await self.gate.wait()
        keys = [each.key for each in submissions]
        assert len(set(keys)) == len(keys), "a key twice in one statement"
        self.groups.append([each.task_id for each in submissions])
        if self.failure is not None:
            raise self.failure
        if any(each.body_hash == b"poison" for each in submissions):
            raise ValueError("invalid byte sequence")
        return replace(self.also, verdicts=[self._keep(each, now) for each in submissions])

    def _keep(self, each: Submission, now: datetime) -> Verdict:
        if each.key in self.kept:
            task, body = self.kept[each.key]
            return Known(task) if body == each.body_hash else Different(body, Known(task))
        task = len(self.kept) + 1
        self.kept[each.key] = task, each.body_hash
        run_at = each.run_at or now
        return Created(task, max(now, run_at), run_at, ready=True)


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


class FakeListener:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.candidates: list[Candidate] = []
        self.others: list[str] = []

    def ready(self, candidates: Sequence[Candidate]) -> None:
        self.candidates += candidates

    def ended(self) -> None:
        self.others.append("ended")

    def stop_wanted(self) -> None:
        self.others.append("stop wanted")


@pytest.fixture
def told() -> FakeListener:
    return FakeListener()


@pytest.fixture
def intake(store: FakeStore, told: FakeListener) -> Intake:
    return Intake(store, ManualClock(NOW), WEEK, told)  # type: ignore[arg-type]


async def test_callers_that_wait_are_stored_together(intake: Intake, store: FakeStore) -> None:
    store.gate.clear()
    calls = [asyncio.create_task(intake.take_in([submission(f"t{number}")])) for number in range(20)]
    await asyncio.sleep(0)
    store.gate.set()
    assert all(isinstance(verdicts[0], Created) for verdicts in await asyncio.gather(*calls))
    assert len(store.groups) <= 2


async def test_a_key_that_comes_often_is_sent_once(intake: Intake, store: FakeStore) -> None:
    verdicts = await intake.take_in(
        [submission("a"), submission("b"), submission("a"), submission("a", b"other")]
    )
    assert [type(verdict) for verdict in verdicts] == [Created, Created, Known, Different]
    assert store.groups == [["a", "b"]]


async def test_one_that_the_database_cannot_take_spoils_only_itself(intake: Intake, store: FakeStore) -> None:
    store.gate.clear()
    calls = [
        asyncio.create_task(intake.take_in([submission(name, body)]))
        for name, body in (("a", b""), ("b", b"poison"), ("c", b""))
    ]
    await asyncio.sleep(0)
    store.gate.set()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(answers[1], ValueError)
    assert [key[2] for key in store.kept] == ["a", "c"]


async def test_an_outage_is_everybodys(intake: Intake, store: FakeStore) -> None:
    store.failure = DatabaseUnavailable("away")
    with pytest.raises(DatabaseUnavailable):
        await intake.take_in([submission("a"), submission("b")])
    assert len(store.groups) == 1


async def test_too_many_that_wait_are_refused_at_once(intake: Intake, store: FakeStore) -> None:
    store.gate.clear()
    many = MOST_PENDING // OVERHEAD + 1
    first = asyncio.create_task(intake.take_in([submission(f"t{number}") for number in range(many)]))
    await asyncio.sleep(0)
    with pytest.raises(IntakeFull) as refused:
        await intake.take_in([submission("late")])
    assert refused.value.retry_after is not None
    store.gate.set()
    assert len(await first) == many
    assert isinstance((await intake.take_in([submission("late")]))[0], Created)


async def test_only_what_may_start_now_is_told(intake: Intake, told: FakeListener) -> None:
    await intake.take_in([submission("now"), submission("later", run_at=NOW + timedelta(seconds=1))])
    await intake.take_in([submission("now")])
    assert told.candidates == [Candidate(NOW, 1, 1, "default/name:x/0/default", 7, 0, 0)]
    assert told.others == []


async def test_what_else_came_of_it_is_told(intake: Intake, store: FakeStore, told: FakeListener) -> None:
    turn = Candidate(NOW, 9, 2, "default/name:x/0/default", 7, 0, 0)
    store.also = TakenIn([], [turn], ended=True, stopping=True)
    await intake.take_in([submission("later", run_at=NOW + timedelta(seconds=1))])
    assert told.candidates == [turn]
    assert told.others == ["ended", "stop wanted"]


async def test_fires_older_than_keys_never_reach_the_store(intake: Intake, store: FakeStore) -> None:
    def fire(task_id: str, age: timedelta) -> Submission:
        return submission(task_id, origin=Origin("s", NOW - age, NOW - age, Overlap.SKIP))

    verdicts = await intake.take_in([fire("old", WEEK + timedelta(seconds=1)), fire("young", WEEK)])
    assert [type(verdict) for verdict in verdicts] == [TooOld, Created]
    assert store.groups == [["young"]]


async def test_a_large_call_is_cut_into_statements(intake: Intake, store: FakeStore) -> None:
    verdicts = await intake.take_in([submission(f"t{number}") for number in range(2500)])
    assert [len(group) for group in store.groups] == [1000, 1000, 500]
    assert [verdict.id for verdict in verdicts if isinstance(verdict, Created)] == list(range(1, 2501))


@pytest.mark.parametrize("kept", [Known(3), KeptOut("x")])
def test_a_second_submission_is_judged_by_what_the_first_found(kept: Known | KeptOut) -> None:
    assert said_again(Created(3, NOW, NOW, True), b"a", b"a") == Known(3)
    assert said_again(Created(3, NOW, NOW, True), b"a", b"b") == Different(b"a", Known(3))
    assert said_again(kept, b"a", b"a") == kept
    assert said_again(kept, b"a", b"b") == Different(b"a", kept)
    assert said_again(Different(b"k", kept), b"a", b"k") == kept
    assert said_again(Different(b"k", kept), b"a", b"a") == Different(b"k", kept)
    assert said_again(TooLarge(Limits()), b"a", b"a") is None
    assert said_again(TooOld(), b"a", b"a") is None
