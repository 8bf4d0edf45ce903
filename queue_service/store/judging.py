"""Judges fires of schedules within the transaction that takes them in, and makes way for them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Self

from queue_service.domain.overlap import (
    BUFFERING,
    REPLACING,
    Enqueue,
    Fire,
    Judgement,
    Overlap,
    Schedule,
    Standing,
    judge,
)
from queue_service.domain.verdict import Created, Verdict
from queue_service.store.cancels import Cancelled, Wish, cancel
from queue_service.store.statements import SQL
from service_kit.postgres import AsyncConnection, raw

if TYPE_CHECKING:
    import asyncpg

Row = Mapping[str, Any]

_NEW: Final = {"attempts": 0, "failures": 0, "losses": 0, "token": None, "session": None, "state": None}
"""A task that has just been stored."""


@dataclass(frozen=True, slots=True)
class Judging:
    """Fires in order, a judgement for each, and the tasks of those schedules that some of them clear away.

    The caller holds the schedules' locks. What is in the way of fires that may have to wait is locked by
    `begin`, so that nothing of it starts or ends before they are stored.
    """

    connection: AsyncConnection
    fires: Sequence[Fire]
    judgements: Sequence[Judgement]
    in_the_way: Sequence[Row]

    @classmethod
    async def begin(cls, connection: AsyncConnection, fires: Sequence[Fire]) -> Self:
        """Looks at what is in the queue, and judges."""
        driver = await raw(connection)
        fresh = [fire for fire in fires if not fire.known and fire.policy is not Overlap.ALLOW_ALL]
        replaced = {fire.schedule for fire in fresh if fire.policy in REPLACING}
        buffered = {fire.schedule for fire in fresh if fire.policy in BUFFERING}
        await run(driver, "line_up", ((*schedule, schedule in replaced) for schedule in buffered))
        standings = await run(driver, "standings_of_schedules", {fire.schedule for fire in fresh})
        in_the_way = await run(driver, "in_the_way", replaced)
        return cls(connection, fires, judge(fires, _standings(standings, in_the_way)), in_the_way)

    @property
    def sequences(self) -> set[Schedule]:
        """The schedules whose sequences have changed."""
        return {fire.schedule for fire in self.fires if fire.policy in BUFFERING}

    async def clear_the_way(self, grace: timedelta, now: datetime) -> Cancelled:
        """Cancels what the replacing fires found in the queue; `grace` is that of CANCEL_OTHER.

        The first of them that is new is on record as who did it, the shortest grace of all of them counts.
        """
        by: dict[Schedule, Fire] = {}
        graces: dict[Schedule, timedelta] = {}
        for fire, judgement in zip(self.fires, self.judgements, strict=True):
            if isinstance(judgement, Enqueue) and judgement.replaces:
                by.setdefault(fire.schedule, fire)
                own = timedelta(0) if fire.policy is Overlap.TERMINATE_OTHER else grace
                graces[fire.schedule] = min(own, graces.get(fire.schedule, own))
        wishes = []
        for row in self.in_the_way:
            schedule = row["namespace"], row["schedule_id"]
            wishes.append(_wish(row, schedule, by[schedule].task_id, graces[schedule]))
        return await cancel(self.connection, wishes, now)

    async def end_replaced(self, verdicts: Sequence[Verdict], now: datetime) -> bool:
        """Ends the fires that one after them, in the same group, has replaced; whether there were any."""
        wishes = [
            _wish({**_NEW, "id": verdict.id}, fire.schedule, judgement.replaced_by, timedelta(0))
            for fire, judgement, verdict in zip(self.fires, self.judgements, verdicts, strict=True)
            if isinstance(judgement, Enqueue) and judgement.replaced_by and isinstance(verdict, Created)
        ]
        await cancel(self.connection, wishes, now)
        return bool(wishes)


def _standings(standings: Iterable[Row], in_the_way: Iterable[Row]) -> dict[Schedule, Standing]:
    held: dict[Schedule, tuple[str, ...]] = {}
    for row in in_the_way:
        if row["session"] is not None:
            schedule = row["namespace"], row["schedule_id"]
            held[schedule] = (*held.get(schedule, ()), row["task_id"])
    return {
        schedule: Standing(row["oldest"], row["buffered"], held.get(schedule, ()))
        for row in standings
        for schedule in [(row["namespace"], row["schedule_id"])]
    }


def _wish(task: Row, schedule: Schedule, by: str, grace: timedelta) -> Wish:
    namespace, schedule_id = schedule
    return Wish(task, namespace, f"schedule {schedule_id}", f"replaced by {by}", grace)


async def known_keys(
    driver: "asyncpg.Connection[Any]", keys: Iterable[tuple[str, str, str]]
) -> frozenset[tuple[str, str, str]]:
    """Those of the keys (namespace, queue, task_id) that something was said about before."""
    rows = await run(driver, "known_keys", keys)
    return frozenset((row["namespace"], row["queue"], row["key"]) for row in rows)


async def run(
    driver: "asyncpg.Connection[Any]", name: str, values: Iterable[tuple[str | bool, ...]]
) -> Sequence[Row]:
    """Runs a statement whose parameters are the columns of `values`; no values, no rows."""
    rows = sorted(set(values))
    if not rows:
        return []
    found: list[Row] = await driver.fetch(SQL[name], *(list(column) for column in zip(*rows, strict=True)))
    return found
