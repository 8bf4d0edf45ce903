"""The end of leases: one transaction for a batch of reports, whatever each of them says."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from queue_service.domain.ending import (
    Duplicate,
    FinishAnswer,
    Finished,
    How,
    Progress,
    Stale,
    Stored,
    Turn,
    turn,
)
from queue_service.domain.limits import Need
from queue_service.domain.order import Candidate
from queue_service.domain.states import FINAL, Event, Kind, LeaseState, Result, State, after, live_state
from queue_service.store.claims import columns, per_executor
from queue_service.store.dispatching import SQL
from queue_service.store.locks import hold, sequence_lock
from service_kit.postgres import AsyncConnection, Database, raw

if TYPE_CHECKING:
    import asyncpg

Row = Mapping[str, Any]
Key = tuple[int, int]

DEAD_PAYLOAD_RETENTION: Final = timedelta(days=30)
"""How long the input of a dead letter is kept, so that it can be sent on its way again."""

LONGEST_DETAIL: Final = 500

_KINDS: Final = {
    Event.SUCCEED: Kind.ENDED,
    Event.BURY: Kind.ENDED,
    Event.CANCEL: Kind.ENDED,
    Event.RETRY: Kind.RETRYING,
    Event.RETURN: Kind.RETURNED,
}


@dataclass(frozen=True, slots=True)
class Returned:
    """A task that may be claimed again, from `run_at` on."""

    candidate: Candidate
    run_at: datetime


@dataclass(frozen=True, slots=True)
class FinishedBatch:
    """What a batch led to.

    `answers` in the order of the reports; `released` is what executors got back (tasks, CPU, memory);
    `returned` are the tasks that wait again or whose turn in their sequence has come.
    """

    answers: list[FinishAnswer]
    released: Mapping[int, tuple[int, int, int]]
    returned: list[Returned]


@dataclass(frozen=True, slots=True)
class _Leaving:
    """One lease that has ended: its row, what was said, and what follows."""

    row: Row
    finished: Finished
    turn: Turn
    state: State
    started_at: datetime | None
    error: str

    @property
    def burnt(self) -> bool:
        """Whether an attempt has ended with it."""
        return self.turn.result is not None

    @property
    def reported(self) -> bool:
        """Whether its executor has said how the attempt ended."""
        return self.turn.result not in (None, Result.LOST)


class FinishStore:
    """Stores how leases ended."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def finish(self, reports: Sequence[Finished], now: datetime) -> FinishedBatch:
        """Ends the leases whose token is the current one; the other reports change nothing.

        All in one transaction: attempts, tasks, history, the executors' counters, the audit trail, and the
        next task of each sequence that lost one.
        """
        return await self._database.unit(lambda connection: _finish(connection, reports, now))


async def _finish(connection: AsyncConnection, reports: Sequence[Finished], now: datetime) -> FinishedBatch:
    driver = await raw(connection)
    first = _first_of_each(reports)
    tasks = [task for task, _ in first]
    sequences = await driver.fetch(SQL["sequences_of"], tasks)
    await hold(connection, (sequence_lock(*sequence) for sequence in sequences))
    rows = await driver.fetch(
        SQL["free"], tasks, [token for _, token in first], [report.executor for report in first.values()]
    )
    leaving = [_leaving(row, first[row["task"], row["token"]], now) for row in rows]
    returned: list[Returned] = []
    if leaving:
        returned = await _store(driver, leaving, now)
        if sequences:
            returned += await _next_in(driver, sequences, now)
    released = await _release(driver, leaving)
    answers = await _answers(driver, reports, first, leaving)
    return FinishedBatch(answers, released, returned)


def _first_of_each(reports: Iterable[Finished]) -> dict[Key, Finished]:
    """The first report of each lease, in the order of tasks."""
    first: dict[Key, Finished] = {}
    for report in reports:
        first.setdefault((report.task, report.token), report)
    return dict(sorted(first.items()))


def _leaving(row: Row, finished: Finished, now: datetime) -> _Leaving:
    progress = Progress(row["retry_policy"], row["failures"], row["losses"], row["cancel_asked"])
    what = turn(progress, finished, random.random())
    state = after(live_state(LeaseState(row["state"]), due=True), what.event)
    assert state is not None
    return _Leaving(row, finished, what, state, _started_at(row, finished, now), clean(what.error))


def _started_at(row: Row, finished: Finished, now: datetime) -> datetime | None:
    """When the attempt began. A report without an accept before it implies one, some time after the offer."""
    known: datetime | None = row["started_at"] or finished.started_at
    if known is not None or finished.how in (How.LOST, How.RETURNED):
        return known
    ran = min(finished.report.duration or timedelta(0), now - row["offered_at"])
    began: datetime = now - ran
    return began


async def _store(
    driver: "asyncpg.Connection[Any]", leaving: Sequence[_Leaving], now: datetime
) -> list[Returned]:
    ended = [each for each in leaving if each.state in FINAL]
    waiting = [each for each in leaving if each.state not in FINAL]
    burnt = [each for each in leaving if each.burnt]
    if ended:
        await _end(driver, ended, now)
    if burnt:
        await driver.execute(SQL["record_attempts"], *columns([_attempt(each, now) for each in burnt], 18))
    await driver.execute(SQL["trail"], now, *columns([_trace(each) for each in leaving], 11))
    if not waiting:
        return []
    rows = await driver.fetch(
        SQL["requeue"],
        [each.row["task"] for each in waiting],
        [now + each.turn.delay for each in waiting],
        *columns([_counts(each) for each in waiting], 7),
        now,
    )
    return [_returned(row) for row in rows]


async def _end(driver: "asyncpg.Connection[Any]", ended: Sequence[_Leaving], now: datetime) -> None:
    dead = [each.row["task"] for each in ended if each.state is State.DEAD]
    gone = [each.row["task"] for each in ended if each.state is not State.DEAD]
    await driver.execute(
        SQL["end_tasks"],
        [each.row["task"] for each in ended],
        [each.state for each in ended],
        *columns([_counts(each) for each in ended], 7),
        now,
        gone,
        dead,
        now + DEAD_PAYLOAD_RETENTION,
    )


def _counts(each: _Leaving) -> tuple[Any, ...]:
    """Attempts, failures, losses; token, executor, start, error of the attempt, null when none is burnt."""
    row = each.row
    if not each.burnt:
        return row["attempt"] - 1, each.turn.failures, each.turn.losses, None, None, None, ""
    return (
        row["attempt"],
        each.turn.failures,
        each.turn.losses,
        row["token"],
        row["executor_name"],
        each.started_at,
        each.error,
    )


def _attempt(each: _Leaving, now: datetime) -> tuple[Any, ...]:
    row, report = each.row, each.finished.report
    duration = report.duration
    if duration is None and each.started_at is not None:
        duration = max(timedelta(0), now - each.started_at)
    return (
        row["task"],
        row["chain"],
        row["attempt"],
        row["token"],
        row["executor_name"],
        row["offered_at"],
        each.started_at,
        now,
        each.turn.result,
        each.finished.category,
        each.state,
        report.exit_code,
        report.cpu,
        report.memory,
        report.peak_bytes,
        None if duration is None else duration // timedelta(milliseconds=1),
        clean(report.output_tail),
        each.error,
    )


def _trace(each: _Leaving) -> tuple[Any, ...]:
    row, finished = each.row, each.finished
    cancelled = each.turn.event is Event.CANCEL
    return (
        _KINDS[each.turn.event],
        each.state,
        row["namespace"],
        row["executor_name"],
        finished.actor or (row["cancel_actor"] if cancelled else None) or "",
        (each.error or clean(finished.detail))[:LONGEST_DETAIL],
        row["task"],
        row["token"],
        row["attempt"],
        row["cpu"],
        row["memory"],
    )


async def _next_in(
    driver: "asyncpg.Connection[Any]", sequences: Iterable[Sequence[str]], now: datetime
) -> list[Returned]:
    rows = await driver.fetch(SQL["next_in_sequences"], *columns(sequences, 3), now)
    return [_returned(row) for row in rows]


async def _release(
    driver: "asyncpg.Connection[Any]", leaving: Iterable[_Leaving]
) -> dict[int, tuple[int, int, int]]:
    released = per_executor(
        (each.row["executor"], Need(each.row["cpu"], each.row["memory"])) for each in leaving
    )
    if released:
        executors = sorted(released)
        needs = columns([released[executor] for executor in executors], 3)
        await driver.execute(SQL["release"], executors, *needs)
    return released


async def _answers(
    driver: "asyncpg.Connection[Any]",
    reports: Sequence[Finished],
    first: Mapping[Key, Finished],
    leaving: Iterable[_Leaving],
) -> list[FinishAnswer]:
    stored = {(each.row["task"], each.row["token"]): each for each in leaving}
    recalled = await _recall(driver, [report for key, report in first.items() if key not in stored])
    answers: list[FinishAnswer] = []
    for report in reports:
        key = report.task, report.token
        each = stored.get(key)
        if each is None:
            answers.append(recalled.get(key, _STALE))
        elif first[key] is report:
            answers.append(_STORED[each.state])
        else:
            answers.append(Duplicate(each.state) if each.reported else _STALE)
    return answers


_STALE: Final = Stale()
_STORED: Final = {state: Stored(state) for state in State}


async def _recall(driver: "asyncpg.Connection[Any]", reports: Sequence[Finished]) -> dict[Key, FinishAnswer]:
    if not reports:
        return {}
    rows = await driver.fetch(
        SQL["recall"], *columns([(report.task, report.token, report.executor) for report in reports], 3)
    )
    return {(row["task"], row["token"]): Duplicate(State(row["state"])) for row in rows}


def _returned(row: Row) -> Returned:
    """From a row with the columns of a candidate and `run_at`."""
    *candidate, run_at = tuple(row.values())
    return Returned(Candidate(*candidate), run_at)


def clean(text: str) -> str:
    """The text without what PostgreSQL cannot store."""
    return text.replace("\0", "\ufffd") if "\0" in text else text
