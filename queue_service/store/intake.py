"""Stores tasks that come in, a group at a time."""

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from sqlalchemy.ext.asyncio import AsyncConnection

from queue_service.domain.limits import Limits, Need, fits_alone
from queue_service.domain.overlap import Enqueue, Fire, Overlap, Skip, judge
from queue_service.domain.states import State
from queue_service.domain.task import Submission
from queue_service.domain.verdict import Created, Different, KeptOut, Known, TooLarge, Verdict
from queue_service.store.locks import hold, schedule_lock, sequence_lock
from queue_service.store.sequences import promote
from queue_service.store.statements import SQL
from service_kit.postgres import Database, raw

if TYPE_CHECKING:
    import asyncpg

Key: TypeAlias = tuple[str, str, str]
Place: TypeAlias = Enqueue | Skip

LIMITS_HOLD: Final = 1.0
"""Seconds that limits are believed without a look; changes on this replica count at once."""

_ALWAYS = Enqueue()


class IntakeStore:
    """Writes of intake. `retention` is how long a task_id is remembered at least."""

    def __init__(self, database: Database, retention: timedelta) -> None:
        self._database = database
        self._retention = retention
        self._known_limits: dict[str, tuple[float, list[Limits]]] = {}

    def forget_limits(self) -> None:
        """They have changed: reads them before the next task is judged by its size."""
        self._known_limits.clear()

    async def take_in(self, submissions: Sequence[Submission], now: datetime) -> list[Verdict]:
        """One verdict for each, stored durably. Keys must differ from each other.

        Without an overlap to judge it is one statement, else one transaction under the schedules' locks.
        """
        too_large = await self._too_large(submissions)
        fitting = [s for s in submissions if s.key not in too_large]
        if any(_is_judged(s) for s in fitting):
            verdicts = await self._database.unit(lambda connection: self._judge(connection, fitting, now))
        elif fitting:
            places = [_ALWAYS] * len(fitting)
            verdicts = await self._database.statement(
                lambda driver: self._insert(driver, fitting, places, now)
            )
        else:
            verdicts = []
        by_key = dict(zip((s.key for s in fitting), verdicts, strict=True))
        return [by_key.get(s.key) or TooLarge(too_large[s.key]) for s in submissions]

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
            known = await self._database.statement(lambda driver: _known(driver, refused))
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
    ) -> list[Verdict]:
        judged = [s for s in submissions if _is_judged(s)]
        await hold(connection, (schedule_lock(*_schedule(s)) for s in judged))
        await hold(connection, (sequence_lock(*_sequence(s)) for s in judged if _is_buffered(s)))
        driver = await raw(connection)
        places = await self._places(driver, submissions)
        verdicts = await self._insert(driver, submissions, places, now)
        # A task that was to lead its line but was known already leaves the next one without a leader.
        await promote(driver, {_sequence(s) for s in judged if _is_buffered(s)}, now)
        return verdicts

    async def _places(
        self, driver: "asyncpg.Connection[Any]", submissions: Sequence[Submission]
    ) -> list[Place]:
        fires = [s for s in submissions if s.origin is not None]
        known = await _known(driver, [s.key for s in fires])
        live = await _run(driver, "live_of_schedules", {_schedule(s) for s in fires})
        lines = await _run(driver, "live_sequences", {_sequence(s) for s in fires if _is_buffered(s)})
        verdicts = judge(
            [_fire(s, s.key in known) for s in fires],
            {(row["namespace"], row["schedule_id"]): row["task_id"] for row in live},
            frozenset((row["namespace"], row["queue"], row["sequence_key"]) for row in lines),
        )
        by_key = dict(zip((s.key for s in fires), verdicts, strict=True))
        return [by_key.get(s.key, _ALWAYS) for s in submissions]

    async def _insert(
        self,
        driver: "asyncpg.Connection[Any]",
        submissions: Sequence[Submission],
        places: Sequence[Place],
        now: datetime,
    ) -> list[Verdict]:
        rows = [_row(s, place, now) for s, place in zip(submissions, places, strict=True)]
        columns = [list(column) for column in zip(*rows, strict=True)]
        stored = await driver.fetch(SQL["take_in"], *columns, now, now + self._retention)
        return [
            _verdict(s, place, row, now) for s, place, row in zip(submissions, places, stored, strict=True)
        ]


def _row(submission: Submission, place: Place, now: datetime) -> tuple[Any, ...]:
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


def _verdict(submission: Submission, place: Place, row: Mapping[str, Any], now: datetime) -> Verdict:
    kept = Known(row["task"]) if row["blocked_by"] is None else KeptOut(row["blocked_by"])
    if row["hash"] != submission.body_hash:
        return Different(row["hash"], kept)
    if row["task"] != row["id"]:
        return kept
    return Created(
        id=row["id"],
        order_at=_order_at(submission, now),
        run_at=submission.run_at or now,
        ready=isinstance(place, Enqueue) and place.ready,
    )


def _largest(limits: Iterable[Limits]) -> Limits:
    limits = list(limits)
    return Limits(
        max_cpu=max(each.max_cpu for each in limits), max_memory=max(each.max_memory for each in limits)
    )


def _is_judged(submission: Submission) -> bool:
    return submission.origin is not None and submission.origin.overlap is not Overlap.ALLOW_ALL


def _is_buffered(submission: Submission) -> bool:
    return submission.origin is not None and submission.origin.overlap is Overlap.BUFFER_ALL


def _schedule(submission: Submission) -> tuple[str, str]:
    assert submission.origin is not None
    return submission.namespace, submission.origin.schedule_id


def _sequence(submission: Submission) -> Key:
    assert submission.origin is not None
    return submission.namespace, submission.template.queue, submission.origin.schedule_id


def _fire(submission: Submission, known: bool) -> Fire:
    assert submission.origin is not None
    return Fire(
        submission.task_id, _schedule(submission), _sequence(submission), submission.origin.overlap, known
    )


async def _known(driver: "asyncpg.Connection[Any]", keys: Iterable[Key]) -> frozenset[Key]:
    rows = await _run(driver, "known_keys", keys)
    return frozenset((row["namespace"], row["queue"], row["key"]) for row in rows)


async def _run(
    driver: "asyncpg.Connection[Any]", name: str, values: Iterable[tuple[str, ...]]
) -> list[Mapping[str, Any]]:
    """Runs a statement whose parameters are the columns of `values`; no values, no rows."""
    rows = sorted(set(values))
    if not rows:
        return []
    found: list[Mapping[str, Any]] = await driver.fetch(
        SQL[name], *(list(column) for column in zip(*rows, strict=True))
    )
    return found
