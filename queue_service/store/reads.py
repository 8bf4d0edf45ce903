"""Reads of tasks: one, lists, counts. Each is one snapshot."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from queue_service.domain.executor import Executor
from queue_service.domain.holds import NONE_IN_FORCE, InForce
from queue_service.domain.states import FINAL, LeaseState, State
from queue_service.domain.task import Attempt, Task
from queue_service.store.executors import Defaults, read_defaults, read_executors
from queue_service.store.records import attempts, history
from queue_service.store.rows import ended_attempt, ended_task, live_task, running_attempt
from queue_service.store.selections import any_of, ended_tasks, live_tasks
from queue_service.store.statements import SQL, read_freely
from queue_service.store.tables import leases, payloads, tasks
from service_kit.postgres import Database, raw


@dataclass(frozen=True, slots=True)
class Filters:
    """Which tasks; an empty value asks for nothing."""

    namespace: str
    queue: str = ""
    state: State | None = None
    schedule_id: str = ""


@dataclass(frozen=True, slots=True)
class Counts:
    """What `GetQueueStatus` shows of tasks and settings. `oldest_order_at` None: no task waits."""

    by_state: dict[State, int]
    oldest_order_at: datetime | None
    starving: int
    held: int
    defaults: Defaults
    executors: list[Executor]


# Clocks of replicas differ by less. Only there to pass over partitions that cannot have what is wanted.
_CLOCK_ERROR = timedelta(minutes=1)


class TaskReader:
    """Reads that hold no lock."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, namespace: str, queue: str, task_id: str, now: datetime) -> Task | None:
        """The live task of that name, else the one that ended last; with payload and attempts."""

        async def read(connection: AsyncConnection) -> Task | None:
            named = (namespace, queue, task_id)
            return await _live(connection, _named(tasks, *named), now) or await _ended(
                connection, _named(history, *named)
            )

        return await self._database.unit(read, isolation="repeatable_read", readonly=True)

    async def by_id(self, namespace: str, task: int, now: datetime) -> Task | None:
        """A task by the queue's own handle, as `get`."""

        async def read(connection: AsyncConnection) -> Task | None:
            return await _live(connection, tasks.c.id == task, now) or await _ended(
                connection, and_(history.c.namespace == namespace, history.c.id == task)
            )

        return await self._database.unit(read, isolation="repeatable_read", readonly=True)

    async def by_ids(self, wanted: Sequence[int], now: datetime) -> list[Task]:
        """The live ones among these tasks, in the order given; as in `page`."""

        async def read(connection: AsyncConnection) -> list[Task]:
            rows = (await connection.execute(live_tasks().where(tasks.c.id == any_of(wanted)))).all()
            last = await _last_attempts(connection, rows)
            found = {row.id: live_task(row, now, last.get(row.last_token, ())) for row in rows}
            return [found[task] for task in wanted if task in found]

        return await self._database.unit(read, readonly=True)

    async def page(self, filters: Filters, before: int | None, limit: int, now: datetime) -> list[Task]:
        """Up to `limit` tasks, newest first, of those older than the handle `before`.

        Without payload, and with no other attempt than the last ended one, without its output.
        """

        async def read(connection: AsyncConnection) -> list[Task]:
            live: Sequence[Row[Any]] = ()
            ended: Sequence[Row[Any]] = ()
            if filters.state is None or filters.state not in FINAL:
                wanted = live_tasks().where(
                    *_filtered(tasks, filters, before), *_in_state(filters.state, now)
                )
                live = (await connection.execute(wanted.order_by(tasks.c.id.desc()).limit(limit))).all()
            if filters.state is None or filters.state in FINAL:
                chosen = [history.c.state == filters.state] if filters.state else []
                wanted = ended_tasks().where(*_filtered(history, filters, before), *chosen)
                ended = (await connection.execute(wanted.order_by(history.c.id.desc()).limit(limit))).all()
            last = await _last_attempts(connection, [*live, *ended])
            found = [live_task(row, now, last.get(row.last_token, ())) for row in live]
            found += [ended_task(row, last.get(row.last_token, ())) for row in ended]
            return sorted(found, key=lambda task: -task.id)[:limit]

        return await self._database.unit(read, isolation="repeatable_read", readonly=True)

    async def status(
        self, namespace: str, queue: str, now: datetime, in_force: InForce = NONE_IN_FORCE
    ) -> Counts:
        """Counts and executors of a namespace, or of one of its queues; `in_force` are the holds."""

        async def read(connection: AsyncConnection) -> Counts:
            await read_freely(connection)
            defaults = await read_defaults(connection, namespace)
            counted = await _count_live(connection, namespace, queue, now, defaults.threshold)
            by_state = counted.by_state | await _count_ended(connection, namespace, queue)
            return replace(
                counted,
                by_state=by_state,
                held=await _count_held(connection, namespace, queue, now, in_force),
                defaults=defaults,
                executors=await read_executors(connection, namespace, now),
            )

        return await self._database.unit(read, isolation="repeatable_read", readonly=True)


def _named(table: Any, namespace: str, queue: str, task_id: str) -> ColumnElement[bool]:
    return and_(table.c.namespace == namespace, table.c.queue == queue, table.c.task_id == task_id)


async def _live(connection: AsyncConnection, which: ColumnElement[bool], now: datetime) -> Task | None:
    row = (await connection.execute(live_tasks().where(which))).first()
    if row is None:
        return None
    running = () if row.lease_state is None else (running_attempt(row),)
    return await _whole(connection, live_task(row, now), running)


async def _ended(connection: AsyncConnection, which: ColumnElement[bool]) -> Task | None:
    wanted = ended_tasks().where(which).order_by(history.c.id.desc(), history.c.chain.desc()).limit(1)
    row = (await connection.execute(wanted)).first()
    return None if row is None else await _whole(connection, ended_task(row), ())


async def _whole(connection: AsyncConnection, task: Task, running: Sequence[Attempt]) -> Task:
    """The task with its payload and attempts."""
    payload = await connection.scalar(select(payloads.c.payload).where(payloads.c.task == task.id))
    rows = await connection.execute(
        select(attempts)
        .where(attempts.c.task == task.id, attempts.c.ended_at >= task.enqueued_at - _CLOCK_ERROR)
        .order_by(attempts.c.chain, attempts.c.attempt, attempts.c.token)
    )
    return replace(
        task,
        template=replace(task.template, payload=payload or b""),
        attempts=(*(ended_attempt(row) for row in rows), *running),
    )


async def _last_attempts(
    connection: AsyncConnection, rows: Sequence[Row[Any]]
) -> dict[int, tuple[Attempt, ...]]:
    """By its token, the last ended attempt of each task that has one; without output, for all in one read."""
    ended_at = {row.last_token: row.last_ended_at for row in rows if row.last_token is not None}
    if not ended_at:
        return {}
    without_output = [column for column in attempts.c if column is not attempts.c.output_tail]
    found = await connection.execute(
        select(*without_output, literal("").label("output_tail")).where(
            attempts.c.token == any_of(ended_at),
            # Only so that no partitions of other days are looked at.
            attempts.c.ended_at.between(min(ended_at.values()), max(ended_at.values())),
        )
    )
    return {row.token: (ended_attempt(row),) for row in found}


def _filtered(table: Any, filters: Filters, before: int | None) -> list[ColumnElement[bool]]:
    conditions = [table.c.namespace == filters.namespace]
    if filters.queue:
        conditions.append(table.c.queue == filters.queue)
    if filters.schedule_id:
        conditions.append(table.c.schedule_id == filters.schedule_id)
    if before is not None:
        conditions.append(table.c.id < before)
    return conditions


def _in_state(state: State | None, now: datetime) -> list[ColumnElement[bool]]:
    """What makes a live task's state (see `domain.states.live_state`)."""
    match state:
        case State.SCHEDULED:
            return [leases.c.state.is_(None), tasks.c.run_at > now]
        case State.WAITING:
            return [leases.c.state.is_(None), tasks.c.run_at <= now]
        case State.OFFERED:
            return [leases.c.state == LeaseState.OFFERED]
        case State.RUNNING:
            return [leases.c.state == LeaseState.RUNNING]
        case _:
            return []


async def _count_live(
    connection: AsyncConnection, namespace: str, queue: str, now: datetime, threshold: timedelta
) -> Counts:
    leased = leases.c.state.is_not(None)
    waiting = and_(~leased, tasks.c.run_at <= now)
    chosen = [tasks.c.queue == queue] if queue else []
    row = (
        await connection.execute(
            select(
                func.count().filter(and_(~leased, tasks.c.run_at > now)).label("scheduled"),
                func.count().filter(waiting).label("waiting"),
                func.count().filter(leases.c.state == LeaseState.OFFERED).label("offered"),
                func.count().filter(leases.c.state == LeaseState.RUNNING).label("running"),
                func.min(tasks.c.order_at).filter(waiting).label("oldest"),
                func.count().filter(and_(waiting, tasks.c.order_at < now - threshold)).label("starving"),
            )
            .select_from(tasks.outerjoin(leases, leases.c.task == tasks.c.id))
            .where(tasks.c.namespace == namespace, *chosen)
        )
    ).one()
    by_state = {
        State.SCHEDULED: row.scheduled,
        State.WAITING: row.waiting,
        State.OFFERED: row.offered,
        State.RUNNING: row.running,
    }
    return Counts(by_state, row.oldest, row.starving, 0, Defaults(), [])


async def _count_held(
    connection: AsyncConnection, namespace: str, queue: str, now: datetime, in_force: InForce
) -> int:
    """Waiting tasks that a hold keeps from starting; free of charge while there is none."""
    if namespace not in in_force.by_namespace:
        return 0
    chosen = [tasks.c.queue == queue] if queue else []
    rows = await connection.execute(
        select(tasks.c.lane, tasks.c.level, func.count().label("number"))
        .select_from(tasks.outerjoin(leases, leases.c.task == tasks.c.id))
        .where(tasks.c.namespace == namespace, tasks.c.ready, tasks.c.run_at <= now, *chosen)
        .where(leases.c.task.is_(None))
        .group_by(tasks.c.lane, tasks.c.level)
    )
    return sum(row.number for row in rows if in_force.holding(row.lane, row.level))


async def _count_ended(connection: AsyncConnection, namespace: str, queue: str) -> dict[State, int]:
    driver = await raw(connection)
    uncounted_since = await driver.fetchval(SQL["counted_until"])
    rows = await driver.fetch(SQL["ended_by_state"], namespace, queue, uncounted_since)
    return {State(row["state"]): row["tasks"] for row in rows}
