"""Executors of a namespace, and the limits that hold for them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, Select, and_, exists, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from queue_service.domain.admission import Use
from queue_service.domain.executor import Executor, Load
from queue_service.domain.limits import Limits, Overrides, in_force
from queue_service.store.records import actions
from queue_service.store.tables import executors, leases, sessions, settings
from service_kit.postgres import Database

BUILT_IN = Limits()
BUILT_IN_THRESHOLD = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds in a namespace where nothing else is said."""

    limits: Limits = BUILT_IN
    threshold: timedelta = BUILT_IN_THRESHOLD


@dataclass(frozen=True, slots=True)
class Change:
    """Values that an operator wants to set; None leaves a value as it is."""

    max_tasks: int | None = None
    max_cpu: int | None = None
    max_memory: int | None = None
    threshold: timedelta | None = None

    def values(self) -> dict[str, int]:
        """Column -> new value."""
        threshold = None if self.threshold is None else self.threshold // timedelta(milliseconds=1)
        columns = {
            "max_tasks": self.max_tasks,
            "max_cpu": self.max_cpu,
            "max_memory": self.max_memory,
            "ageing_threshold_ms": threshold,
        }
        return {column: value for column, value in columns.items() if value is not None}


class ExecutorStore:
    """Reads executors and limits, and changes limits."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def defaults(self, namespace: str) -> Defaults:
        """Limits and threshold of a namespace."""
        return await self._database.unit(
            lambda connection: read_defaults(connection, namespace), readonly=True
        )

    async def of(self, namespace: str, now: datetime) -> list[Executor]:
        """Every executor of the namespace, by name."""
        return await self._database.unit(
            lambda connection: read_executors(connection, namespace, now), readonly=True
        )

    async def page(self, namespace: str, after: str, limit: int, now: datetime) -> list[Executor]:
        """Up to `limit` executors whose name comes after `after`."""
        return await self._database.unit(
            lambda connection: read_executors(connection, namespace, now, after=after, limit=limit),
            readonly=True,
        )

    async def named(self, namespace: str, name: str, now: datetime) -> Executor | None:
        """One executor; None when it has never been here."""

        async def read(connection: AsyncConnection) -> Executor | None:
            found = await read_executors(connection, namespace, now, name=name)
            return found[0] if found else None

        return await self._database.unit(read, readonly=True)

    async def change_defaults(self, namespace: str, change: Change, actor: str, now: datetime) -> Defaults:
        """Sets what the change names; the namespace's row is made on demand."""

        async def write(connection: AsyncConnection) -> Defaults:
            values = change.values()
            if values:
                await _hold_all(connection, namespace)
                await connection.execute(
                    insert(settings)
                    .values(namespace=namespace, **values)
                    .on_conflict_do_update(index_elements=[settings.c.namespace], set_=values)
                )
                await _record(connection, namespace, actor, now, "change defaults", values)
            return await read_defaults(connection, namespace)

        return await self._database.unit(write)

    async def change_executor(
        self, namespace: str, name: str, change: Change, actor: str, now: datetime
    ) -> Executor | None:
        """Sets limits of one executor's own; None when it has never been here."""

        async def write(connection: AsyncConnection) -> Executor | None:
            values = change.values()
            if values:
                await connection.execute(
                    executors.update()
                    .where(executors.c.namespace == namespace, executors.c.name == name)
                    .values(**values)
                )
            found = await read_executors(connection, namespace, now, name=name)
            if found and values:
                await _record(connection, namespace, actor, now, f"change limits of {name}", values)
            return found[0] if found else None

        return await self._database.unit(write)


async def _hold_all(connection: AsyncConnection, namespace: str) -> None:
    """Claims lock their executors before they look at the limits: after this none commits by the old ones."""
    held = select(executors.c.id).where(executors.c.namespace == namespace).order_by(executors.c.id)
    await connection.execute(held.with_for_update(key_share=True))


async def read_defaults(connection: AsyncConnection, namespace: str) -> Defaults:
    """Limits and threshold of a namespace; the built-in ones when none were set."""
    row = (await connection.execute(select(settings).where(settings.c.namespace == namespace))).first()
    if row is None:
        return Defaults()
    limits = Limits(row.max_tasks, row.max_cpu, row.max_memory)
    return Defaults(limits, timedelta(milliseconds=row.ageing_threshold_ms))


async def read_executors(
    connection: AsyncConnection,
    namespace: str,
    now: datetime,
    *,
    name: str | None = None,
    after: str = "",
    limit: int | None = None,
) -> list[Executor]:
    """Executors by name: the one named, or those after `after`."""
    defaults = (await read_defaults(connection, namespace)).limits
    wanted = _selection(now).where(executors.c.namespace == namespace)
    wanted = wanted.where(executors.c.name == name if name is not None else executors.c.name > after)
    rows = await connection.execute(wanted.order_by(executors.c.name).limit(limit))
    return [_executor(row, defaults, now) for row in rows]


def _selection(now: datetime) -> Select[Any]:
    """Executors with their current session, the number of their last one, and what pull clients hold."""
    earlier = sessions.alias("earlier")
    last = select(func.max(earlier.c.id)).where(earlier.c.executor == executors.c.id).scalar_subquery()
    unexpired = exists().where(leases.c.executor == executors.c.id, leases.c.expires_at > now)
    return select(
        executors,
        and_(executors.c.pull, unexpired).label("holds_pull_lease"),
        sessions.c.expires_at.label("session_expires_at"),
        sessions.c.ended_at.label("session_ended_at"),
        func.coalesce(last, 0).label("last_session"),
    ).select_from(executors.outerjoin(sessions, sessions.c.id == executors.c.session))


def _executor(row: Row[Any], defaults: Limits, now: datetime) -> Executor:
    own = Overrides(row.max_tasks, row.max_cpu, row.max_memory)
    return Executor(
        id=row.id,
        name=row.name,
        pull=row.pull,
        online=_is_online(row, now),
        session=row.last_session,
        handlers=tuple(row.handlers),
        allows_shell=row.allows_shell,
        allows_http=row.allows_http,
        labels=row.labels,
        cpu_count=row.cpu_count,
        memory_bytes=row.memory_bytes,
        version=row.version,
        limits=in_force(defaults, own),
        own_limits=own != Overrides(),
        use=Use(row.used_tasks, row.used_cpu, row.used_memory),
        load=None if row.load_cpu is None else Load(row.load_cpu, row.load_memory or 0),
        seen_at=row.seen_at,
    )


def _is_online(row: Row[Any], now: datetime) -> bool:
    expires_at: datetime | None = row.session_expires_at
    has_session = expires_at is not None and row.session_ended_at is None and expires_at > now
    return has_session or row.holds_pull_lease


async def _record(
    connection: AsyncConnection,
    namespace: str,
    actor: str,
    now: datetime,
    action: str,
    values: Mapping[str, int],
) -> None:
    detail = ", ".join(f"{column} = {value}" for column, value in values.items())
    await connection.execute(
        actions.insert().values(at=now, namespace=namespace, actor=actor, action=action, detail=detail)
    )
