"""Stores tasks that come in, a group at a time."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from sqlalchemy.ext.asyncio import AsyncConnection

from queue_service.domain.limits import Limits, Need, fits_alone
from queue_service.domain.order import Candidate
from queue_service.domain.overlap import Enqueue, Fire, Judgement, Overlap, Schedule, Skip
from queue_service.domain.states import State
from queue_service.domain.task import Submission
from queue_service.domain.verdict import Created, Different, KeptOut, Known, TooLarge, Verdict
from queue_service.store.judging import Judging, known_keys
from queue_service.store.locks import hold, schedule_lock
from queue_service.store.sequences import promote
from queue_service.store.statements import SQL
from service_kit.postgres import Database, raw

if TYPE_CHECKING:
    import asyncpg

Key: TypeAlias = tuple[str, str, str]

LIMITS_HOLD: Final = 1.0
"""Seconds that limits are believed without a look; changes on this replica count at once."""

_ALWAYS = Enqueue()


@dataclass(frozen=True, slots=True)
class TakenIn:
    """A verdict for each submission, and what else came of them.

    `ready` are tasks beside those just created whose turn has come, `ended` says that tasks have ended,
    `stopping` that agents are to be asked to stop some.
    """

    verdicts: Sequence[Verdict]
    ready: Sequence[Candidate] = ()
    ended: bool = False
    stopping: bool = False


class IntakeStore:
    """Writes of intake.

    `retention` is how long a task_id is remembered at least, `grace` what tasks are given to end that a fire
    with CANCEL_OTHER replaces.
    """

    def __init__(self, database: Database, retention: timedelta, grace: timedelta) -> None:
        self._database = database
        self._retention = retention
        self._grace = grace
        self._known_limits: dict[str, tuple[float, list[Limits]]] = {}

    def forget_limits(self) -> None:
        """They have changed: reads them before the next task is judged by its size."""
        self._known_limits.clear()

    async def take_in(self, submissions: Sequence[Submission], now: datetime) -> TakenIn:
        """One verdict for each, stored durably. Keys must differ from each other.

        Without an overlap to judge it is one statement, else one transaction under the schedules' locks.
        """
        too_large = await self._too_large(submissions)
        fitting = [s for s in submissions if s.key not in too_large]
        taken = TakenIn([])
        if any(_is_judged(s) for s in fitting):
            taken = await self._database.unit(lambda connection: self._judge(connection, fitting, now))
        elif fitting:
            places = [_ALWAYS] * len(fitting)
            taken = TakenIn(
                await self._database.statement(lambda driver: self._insert(driver, fitting, places, now))
            )
        by_key = dict(zip((s.key for s in fitting), taken.verdicts, strict=True))
        verdicts = [by_key.get(s.key) or TooLarge(too_large[s.key]) for s in submissions]
        return replace(taken, verdicts=verdicts)

    async def _too_large(self, submissions: Sequence[Submission]) -> dict[Key, Limits]:
        """What is larger than every limit, apart from what was accepted before under its key."""
        sized = [s for s in submissions if s.template.need != Need()]
        if not sized:
            return {}
        limits = await self._limits({s.namespace for s in sized})
        refused = {
            s.key: _largest(limits[s.namespace])
            for s in sized
            if not any(fits_alone(s.template.need, each) for each in limits[s.namespace])
        }
        if refused:
            known = await self._database.statement(lambda driver: known_keys(driver, refused))
            refused = {key: largest for key, largest in refused.items() if key not in known}
        return refused

    async def _limits(self, namespaces: set[str]) -> Mapping[str, list[Limits]]:
        """What executors of each namespace may be given. Only refuses early: claims count with the truth."""
        now = time.monotonic()
        known = {name: each for name, each in self._known_limits.items() if now - each[0] < LIMITS_HOLD}
        missing = sorted(namespaces - known.keys())
        if missing:
            known |= {name: (now, []) for name in missing}
            for row in await self._database.statement(
                lambda driver: driver.fetch(SQL["largest_limits"], missing)
            ):
                limits = Limits(max_cpu=row["max_cpu"], max_memory=row["max_memory"])
                known[row["namespace"]][1].append(limits)
            self._known_limits = known
        return {name: known[name][1] for name in namespaces}

    async def _judge(
        self, connection: AsyncConnection, submissions: Sequence[Submission], now: datetime
    ) -> TakenIn:
        driver = await raw(connection)
        fires = [s for s in submissions if s.origin is not None]
        await hold(connection, (schedule_lock(*_schedule(s)) for s in fires if _is_judged(s)))
        known = await known_keys(driver, [s.key for s in fires])
        judging = await Judging.begin(connection, [_fire(s, s.key in known) for s in fires])
        cleared = await judging.clear_the_way(self._grace, now)
        places = dict(zip((s.key for s in fires), judging.judgements, strict=True))
        judged = [places.get(s.key, _ALWAYS) for s in submissions]
        verdicts = await self._insert(driver, submissions, judged, now)
        by_key = dict(zip((s.key for s in submissions), verdicts, strict=True))
        replaced = await judging.end_replaced([by_key[s.key] for s in fires], now)
        # A task that was to lead its sequence but was known already leaves the next one without a leader.
        ready = [*cleared.ready, *await promote(driver, judging.sequences, now)]
        return TakenIn(verdicts, ready, bool(cleared.ended) or replaced, bool(cleared.asked))

    async def _insert(
        self,
        driver: "asyncpg.Connection[Any]",
        submissions: Sequence[Submission],
        places: Sequence[Judgement],
        now: datetime,
    ) -> list[Verdict]:
        rows = [_row(s, place, now) for s, place in zip(submissions, places, strict=True)]
        columns = [list(column) for column in zip(*rows, strict=True)]
        stored = await driver.fetch(SQL["take_in"], *columns, now, now + self._retention)
        return [
            _verdict(s, place, row, now) for s, place, row in zip(submissions, places, stored, strict=True)
        ]


def _row(submission: Submission, place: Judgement, now: datetime) -> tuple[Any, ...]:
    """The values of `take_in`'s columns, in their order."""
    template, origin = submission.template, submission.origin
    run_at = submission.run_at or now
    due = run_at <= now
    sequenced = isinstance(place, Enqueue) and place.sequenced
    return (
        submission.namespace,
        template.queue,
        submission.task_id,
        submission.body_hash,
        submission.lane,
        template.priority,
        template.need.cpu,
        template.need.memory,
        template.timeout // timedelta(milliseconds=1),
        template.handler,
        template.name,
        template.retry_policy,
        template.circuit_breaker,
        origin.schedule_id if origin else None,
        origin.nominal_at if origin else None,
        origin.trigger_depth if origin else 0,
        origin.schedule_id if origin and sequenced else None,
        place.ready if isinstance(place, Enqueue) else True,
        _order_at(submission, now),
        run_at,
        template.payload,
        place.by if isinstance(place, Skip) else None,
        submission.actor,
        State.WAITING if due else State.SCHEDULED,
    )


def _order_at(submission: Submission, now: datetime) -> datetime:
    """A delayed task counts its waiting from the time it was to run."""
    return max(now, submission.run_at or now)


def _verdict(submission: Submission, place: Judgement, row: Mapping[str, Any], now: datetime) -> Verdict:
    kept = Known(row["task"]) if row["blocked_by"] is None else KeptOut(row["blocked_by"])
    if row["hash"] != submission.body_hash:
        return Different(row["hash"], kept)
    if row["task"] != row["id"]:
        return kept
    return Created(
        id=row["id"],
        order_at=_order_at(submission, now),
        run_at=submission.run_at or now,
        ready=isinstance(place, Enqueue) and place.ready and place.replaced_by is None,
    )


def _largest(limits: Iterable[Limits]) -> Limits:
    limits = list(limits)
    return Limits(
        max_cpu=max(each.max_cpu for each in limits), max_memory=max(each.max_memory for each in limits)
    )


def _is_judged(submission: Submission) -> bool:
    return submission.origin is not None and submission.origin.overlap is not Overlap.ALLOW_ALL


def _schedule(submission: Submission) -> Schedule:
    assert submission.origin is not None
    return submission.namespace, submission.origin.schedule_id


def _fire(submission: Submission, known: bool) -> Fire:
    assert submission.origin is not None
    return Fire(submission.task_id, _schedule(submission), submission.origin.overlap, known)
