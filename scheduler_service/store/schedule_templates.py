"""Schedule templates: versions that never change."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    delete,
    func,
    insert,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.schedule import Schedule
from scheduler_service.domain.schedule_template import Parameter, ScheduleTemplate, TemplateText
from scheduler_service.store import tables
from scheduler_service.store.calendars import as_locked

_TEMPLATES = tables.schedule_templates
_SCHEDULES = tables.schedules
_COLUMNS, _USED = _TEMPLATES.c, _SCHEDULES.c


async def lock(connection: AsyncConnection, namespace: str, template_id: str) -> None:
    """Makes writers of one schedule template wait for each other until the transaction ends."""
    key = f"schedule template {namespace} {template_id}"
    await connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": key})


async def read(
    connection: AsyncConnection, namespace: str, template_id: str, version: int
) -> ScheduleTemplate | None:
    """One version; 0 = the newest."""
    query = _counted().where(_is(namespace, template_id)).order_by(_COLUMNS.version.desc()).limit(1)
    if version:
        query = query.where(_COLUMNS.version == version)
    row = (await connection.execute(query)).mappings().first()
    return None if row is None else _template_of(row)


async def page(
    connection: AsyncConnection, namespace: str, after: str, limit: int
) -> Sequence[ScheduleTemplate]:
    """The newest version of at most `limit` schedule templates with ids beyond `after`, by id."""
    query = (
        _counted()
        .where(_COLUMNS.namespace == namespace, _COLUMNS.template_id > after)
        .ext(distinct_on(_COLUMNS.template_id))
        .order_by(_COLUMNS.template_id, _COLUMNS.version.desc())
        .limit(limit)
    )
    return [_template_of(row) for row in (await connection.execute(query)).mappings()]


async def versions(
    connection: AsyncConnection, namespace: str, template_id: str, before: int | None, limit: int
) -> Sequence[ScheduleTemplate]:
    """At most `limit` versions of one, newest first; with `before` only older ones."""
    query = _counted().where(_is(namespace, template_id)).order_by(_COLUMNS.version.desc()).limit(limit)
    if before is not None:
        query = query.where(_COLUMNS.version < before)
    return [_template_of(row) for row in (await connection.execute(query)).mappings()]


async def add(connection: AsyncConnection, namespace: str, template: ScheduleTemplate) -> None:
    """Stores a version."""
    written = template.text
    values = {
        "namespace": namespace,
        "template_id": written.template_id,
        "version": template.version,
        "description": written.description,
        "body": written.body,
        "parameters": json.dumps([_parameter_document(each) for each in written.parameters]),
        "actor": template.actor,
        "created_at": template.created_at,
    }
    await connection.execute(insert(_TEMPLATES).values(values))


async def lock_versions(connection: AsyncConnection, namespace: str, template_id: str) -> None:
    """No schedule can be made of it until the transaction ends; one that is being made is waited for."""
    query = select(_COLUMNS.version).where(_is(namespace, template_id)).with_for_update()
    await connection.execute(query)


async def users(connection: AsyncConnection, namespace: str, template_id: str, limit: int) -> Sequence[str]:
    """Ids of at most `limit` schedules that are made of any of its versions."""
    query = select(_USED.schedule_id).where(_made_of(namespace, template_id)).order_by(_USED.schedule_id)
    return list((await connection.execute(query.limit(limit))).scalars())


async def remove(connection: AsyncConnection, namespace: str, template_id: str) -> bool:
    """Deletes all versions; False when there is none."""
    deleted = await connection.execute(delete(_TEMPLATES).where(_is(namespace, template_id)))
    return deleted.rowcount > 0


async def lock_users(
    connection: AsyncConnection, namespace: str, template_id: str, version: int, limit: int
) -> Sequence[Schedule]:
    """At most `limit` schedules made of a version (0 = of any), by id, locked until the transaction ends."""
    query = select(_SCHEDULES).where(_made_of(namespace, template_id)).order_by(_USED.schedule_id)
    if version:
        query = query.where(_USED.source_version == version)
    rows = (await connection.execute(query.limit(limit).with_for_update(key_share=True))).mappings()
    return await as_locked(connection, rows)


def _counted() -> Select[Any]:
    used = (
        select(func.count())
        .select_from(_SCHEDULES)
        .where(
            _USED.namespace == _COLUMNS.namespace,
            _USED.source_id == _COLUMNS.template_id,
            _USED.source_version == _COLUMNS.version,
        )
        .scalar_subquery()
    )
    return select(_TEMPLATES, used.label("schedules"))


def _is(namespace: str, template_id: str) -> ColumnElement[bool]:
    return (_COLUMNS.namespace == namespace) & (_COLUMNS.template_id == template_id)


def _made_of(namespace: str, template_id: str) -> ColumnElement[bool]:
    return (_USED.namespace == namespace) & (_USED.source_id == template_id)


def _parameter_document(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "description": parameter.description,
        "default": parameter.default,
        "example": parameter.example,
    }


def _template_of(row: Any) -> ScheduleTemplate:
    return ScheduleTemplate(
        text=TemplateText(
            template_id=row["template_id"],
            description=row["description"],
            body=row["body"],
            parameters=tuple(Parameter(**each) for each in json.loads(row["parameters"])),
        ),
        version=row["version"],
        actor=row["actor"],
        created_at=row["created_at"],
        schedules=row["schedules"],
    )
