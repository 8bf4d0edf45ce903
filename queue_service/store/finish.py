"""The end of leases: one transaction for a batch of reports, whatever each of them says."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from queue_service.domain.ending import Duplicate, FinishAnswer, Finished, Stale, Stored
from queue_service.domain.limits import Need
from queue_service.domain.order import Candidate
from queue_service.domain.states import FINAL, State
from queue_service.store.claims import columns, per_executor
from queue_service.store.dispatching import SQL
from queue_service.store.leaving import Leaving, Row
from queue_service.store.locks import hold, schedule_lock
from queue_service.store.sequences import Line, LinedUp, leaving
from service_kit.postgres import AsyncConnection, Database, raw

if TYPE_CHECKING:
    import asyncpg

Key = tuple[int, int]
"""Of a lease: task, token."""

Claim = tuple[int, int, int | None]
"""Who says something about which lease: task, token, executor (None: anybody may)."""

DEAD_PAYLOAD_RETENTION: Final = timedelta(days=30)
"""How long the input of a dead letter is kept, so that it can be sent on its way again."""


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


class FinishStore:
    """Stores how leases ended."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def finish(self, reports: Sequence[Finished], now: datetime) -> FinishedBatch:
        """Ends the leases whose token is the current one; the other reports change nothing.

        All in one transaction: attempts, tasks, history, the executors' counters, the audit trail, and the
        next task of each sequence that lost one.
        """
        return await leaving(self._database, lambda connection: finish_in(connection, reports, now))


async def finish_in(connection: AsyncConnection, reports: Sequence[Finished], now: datetime) -> FinishedBatch:
    """As `FinishStore.finish`, within a transaction of the caller's. Raises LinedUp."""
    driver = await raw(connection)
    claims = sorted({_claim(report) for report in reports}, key=lambda claim: claim[:2])
    tasks, tokens, executors = columns(claims, 3)
    sequenced = await driver.fetch(SQL["sequences_of"], tasks)
    sequences = {(row["namespace"], row["sequence_key"]) for row in sequenced}
    await hold(connection, (schedule_lock(*sequence) for sequence in sequences))
    rows = await driver.fetch(SQL["free"], tasks, tokens, executors, [row["id"] for row in sequenced])
    if rows and rows[0]["lined_up"]:
        raise LinedUp
    heard = _heard(reports, rows)
    left = [Leaving.of(row, heard[row["task"], row["token"]], now) for row in rows]
    returned: list[Returned] = []
    if left:
        returned = await _store(driver, left, now)
        if sequences:
            returned += await _next_in(driver, sequences, now)
    released = await _release(driver, left)
    answers = await _answers(driver, reports, heard, left)
    return FinishedBatch(answers, released, returned)


def _claim(report: Finished) -> Claim:
    return report.task, report.token, report.executor


def _heard(reports: Iterable[Finished], freed: Iterable[Row]) -> dict[Key, Finished]:
    """The first report of each freed lease that comes from its executor, or from one who may speak for it."""
    holders = {(row["task"], row["token"]): row["executor"] for row in freed}
    heard: dict[Key, Finished] = {}
    for report in reports:
        key = report.task, report.token
        if key in holders and report.executor in (None, holders[key]):
            heard.setdefault(key, report)
    return heard


async def _store(
    driver: "asyncpg.Connection[Any]", leaving: Sequence[Leaving], now: datetime
) -> list[Returned]:
    ended = [each for each in leaving if each.state in FINAL]
    waiting = [each for each in leaving if each.state not in FINAL]
    burnt = [each for each in leaving if each.burnt]
    if ended:
        await _end(driver, ended, now)
    if burnt:
        await driver.execute(SQL["record_attempts"], *columns([each.attempt(now) for each in burnt], 18))
    await driver.execute(SQL["trail"], now, *columns([each.trace() for each in leaving], 11))
    if not waiting:
        return []
    rows = await driver.fetch(
        SQL["requeue"],
        [each.row["task"] for each in waiting],
        [now + each.turn.delay for each in waiting],
        *columns([each.counts() for each in waiting], 7),
        now,
    )
    return [_returned(row) for row in rows]


async def _end(driver: "asyncpg.Connection[Any]", ended: Sequence[Leaving], now: datetime) -> None:
    dead = [each.row["task"] for each in ended if each.state is State.DEAD]
    gone = [each.row["task"] for each in ended if each.state is not State.DEAD]
    await driver.execute(
        SQL["end_tasks"],
        [each.row["task"] for each in ended],
        [each.state for each in ended],
        *columns([each.counts() for each in ended], 7),
        now,
        gone,
        dead,
        now + DEAD_PAYLOAD_RETENTION,
    )


async def _next_in(
    driver: "asyncpg.Connection[Any]", sequences: Iterable[Line], now: datetime
) -> list[Returned]:
    rows = await driver.fetch(SQL["next_in_sequences"], *columns(sorted(sequences), 2), now)
    return [_returned(row) for row in rows]


async def _release(
    driver: "asyncpg.Connection[Any]", leaving: Iterable[Leaving]
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
    heard: Mapping[Key, Finished],
    leaving: Iterable[Leaving],
) -> list[FinishAnswer]:
    stored = {(each.row["task"], each.row["token"]): each for each in leaving}
    unknown = {_claim(report) for report in reports if (report.task, report.token) not in stored}
    recalled = await _recall(driver, list(unknown))
    answers: list[FinishAnswer] = []
    for report in reports:
        key = report.task, report.token
        each = stored.get(key)
        if each is None:
            answers.append(recalled.get(_claim(report), _STALE))
        elif report.executor not in (None, each.row["executor"]):
            answers.append(_STALE)
        elif heard[key] is report:
            answers.append(_STORED[each.state])
        else:
            answers.append(Duplicate(each.state) if each.reported else _STALE)
    return answers


_STALE: Final = Stale()
_STORED: Final = {state: Stored(state) for state in State}


async def _recall(driver: "asyncpg.Connection[Any]", claims: Sequence[Claim]) -> dict[Claim, FinishAnswer]:
    if not claims:
        return {}
    rows = await driver.fetch(SQL["recall"], *columns(claims, 3))
    return {(row["task"], row["token"], row["executor"]): Duplicate(State(row["state"])) for row in rows}


def _returned(row: Row) -> Returned:
    """From a row with the columns of a candidate and `run_at`."""
    *candidate, run_at = tuple(row.values())
    return Returned(Candidate(*candidate), run_at)
