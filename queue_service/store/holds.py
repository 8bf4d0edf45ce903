"""Holds as they are stored: those of a source are replaced together."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Executable, Row, Table, and_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from queue_service.domain.holds import Hold
from queue_service.store.records import actions
from queue_service.store.tables import hold_sources, holds
from service_kit.postgres import Database

Versions: TypeAlias = Mapping[tuple[str, str], int]
"""Of the sources, by namespace and name."""


class HoldStore:
    """Reads and replaces holds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def replace(
        self, namespace: str, source: str, version: int, wanted: Sequence[Hold], actor: str, now: datetime
    ) -> int:
        """Makes them the holds of the source, unless its stored version is as new; the version in force."""

        async def write(connection: AsyncConnection) -> int:
            stored = await connection.scalar(_raise_version(namespace, source, version))
            if stored is None:
                found = await connection.scalar(
                    select(hold_sources.c.version).where(_of(hold_sources, namespace, source))
                )
                return int(found or 0)
            await connection.execute(holds.delete().where(_of(holds, namespace, source)))
            if wanted:
                rows = [_values(hold, number) for number, hold in enumerate(wanted)]
                await connection.execute(holds.insert(), rows)
            detail = f"{source} version {version}: {len(wanted)} holds"
            await connection.execute(
                actions.insert().values(
                    at=now, namespace=namespace, actor=actor, action="set holds", detail=detail
                )
            )
            return version

        return await self._database.unit(write)

    async def versions(self) -> Versions:
        """Of every source that has ever had holds."""

        async def read(connection: AsyncConnection) -> Versions:
            rows = await connection.execute(select(hold_sources))
            return {(row.namespace, row.source): row.version for row in rows}

        return await self._database.unit(read, readonly=True)

    async def ahead(
        self, now: datetime, namespace: str | None = None, limit: int | None = None
    ) -> list[Hold]:
        """Holds that are in force or to come, earliest first; of one namespace, or (None) of all."""
        wanted = select(holds).where(holds.c.until_at > now)
        if namespace is not None:
            wanted = wanted.where(holds.c.namespace == namespace)
        wanted = wanted.order_by(holds.c.from_at, holds.c.source, holds.c.number).limit(limit)

        async def read(connection: AsyncConnection) -> list[Hold]:
            return [_hold(row) for row in await connection.execute(wanted)]

        return await self._database.unit(read, readonly=True)


def _raise_version(namespace: str, source: str, version: int) -> Executable:
    """Locks the source. Returns nothing when the stored version is as new."""
    statement = insert(hold_sources).values(namespace=namespace, source=source, version=version)
    return statement.on_conflict_do_update(
        index_elements=[hold_sources.c.namespace, hold_sources.c.source],
        set_={"version": version},
        where=hold_sources.c.version < version,
    ).returning(hold_sources.c.version)


def _of(table: Table, namespace: str, source: str) -> ColumnElement[bool]:
    return and_(table.c.namespace == namespace, table.c.source == source)


def _values(hold: Hold, number: int) -> dict[str, object]:
    return {
        "namespace": hold.namespace,
        "source": hold.source,
        "number": number,
        "from_at": hold.from_at,
        "until_at": hold.until_at,
        "queue": hold.queue,
        "handler": hold.handler,
        "allow_priority": hold.allow_priority,
        "reason": hold.reason,
    }


def _hold(row: Row[Any]) -> Hold:
    return Hold(
        namespace=row.namespace,
        source=row.source,
        from_at=row.from_at,
        until_at=row.until_at,
        queue=row.queue,
        handler=row.handler,
        allow_priority=row.allow_priority,
        reason=row.reason,
    )
