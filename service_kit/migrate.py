"""Brings one service's schema up to date with Alembic, one process at a time."""

import asyncio
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from service_kit.dbfailure import classify
from service_kit.dsn import Dsn, database_url
from service_kit.errors import DatabaseUnavailable
from service_kit.locks import lock_number
from service_kit.logs import logger

log = logger(__name__)

# Alembic keeps the migration under way in a module global: two at once corrupt each other.
_one_at_a_time = asyncio.Lock()


def runtime_role(schema: str) -> str:
    """The NOLOGIN role that the running service takes (see `postgres.engine`): `batonpass_<schema>`."""
    return f"batonpass_{schema}"


async def migrate(
    url: str | Dsn, script_location: Path, schema: str, *, append_only: Iterable[str] = ()
) -> None:
    """Upgrades `schema` to the newest revision in `script_location/versions`; harmless when repeated.

    One transaction under an advisory lock: replicas that start together wait for each other, and a migration
    that fails changes nothing. Migrations name their schema themselves (`op.create_table(..., schema=...)`);
    no `env.py` is needed. The runtime role may read and write every table of the schema, but only read and
    insert into those in `append_only`. A login without CREATEROLE goes on without that role.

    Raises DatabaseUnavailable when PostgreSQL is away.
    """
    dsn = database_url(url)

    async def connect(*_: Any, **__: Any) -> Any:
        return await dsn.connect({"application_name": "batonpass-migrate", "timezone": "UTC"})

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    try:
        async with _one_at_a_time, engine.begin() as connection:
            await _bring_up_to_date(connection, script_location, schema, append_only)
    except Exception as error:
        failure = classify(error)
        if failure is None:
            raise
        raise DatabaseUnavailable(f"{failure.value} at {dsn}: {error}") from error
    finally:
        await engine.dispose()


async def _bring_up_to_date(
    connection: AsyncConnection, script_location: Path, schema: str, append_only: Iterable[str]
) -> None:
    lock = {"number": lock_number(f"migrate/{schema}")}
    await connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), lock)
    await connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{schema}"'))
    role = runtime_role(schema)
    has_role = await _ensure_role(connection, role)
    await connection.run_sync(_upgrade, script_location, schema)
    if has_role:
        await _grant(connection, schema, role, append_only)


async def schema_is_current(connection: AsyncConnection, script_location: Path, schema: str) -> bool:
    """True when every revision this program knows has been applied.

    A revision it does not know belongs to a newer version, which keeps older ones working: also true.
    """
    return await connection.run_sync(_is_current, script_location, schema)


def _is_current(connection: Connection, script_location: Path, schema: str) -> bool:
    context = MigrationContext.configure(connection, opts={"version_table_schema": schema})
    applied = context.get_current_heads()
    script, known = _script(script_location), _revisions(script_location)
    return bool(applied) and (
        set(applied) == set(script.get_heads()) or any(rev not in known for rev in applied)
    )


def _upgrade(connection: Connection, script_location: Path, schema: str) -> None:
    script = _script(script_location)
    environment = EnvironmentContext(
        Config(), script, fn=lambda revision, _: script._upgrade_revs("head", revision)
    )
    with environment:
        environment.configure(connection=connection, version_table_schema=schema, transactional_ddl=True)
        before = environment.get_context().get_current_heads()
        with environment.begin_transaction():
            environment.run_migrations()
        after = environment.get_context().get_current_heads()
    log.info("schema is current", schema=schema, before=before, after=after)


def _script(script_location: Path) -> ScriptDirectory:
    return ScriptDirectory(str(script_location))


@cache
def _revisions(script_location: Path) -> frozenset[str]:
    return frozenset(script.revision for script in _script(script_location).walk_revisions())


async def _ensure_role(connection: AsyncConnection, role: str) -> bool:
    """False when there is no such role and this login may not make it."""
    found = await connection.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": role})
    if not found:
        may = await connection.scalar(
            text("SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user")
        )
        if not may:
            log.warning("no runtime role: this login may not create it", role=role)
            return False
        await connection.execute(text(_CREATE_ROLE.format(role=role)))
    return True


# Roles belong to the whole server: another database's migration may create the same one at this very moment.
_CREATE_ROLE = """
DO $do$ BEGIN
    CREATE ROLE "{role}" NOLOGIN;
    GRANT "{role}" TO CURRENT_USER;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $do$
"""


async def _grant(connection: AsyncConnection, schema: str, role: str, append_only: Iterable[str]) -> None:
    statements = [
        f'GRANT USAGE ON SCHEMA "{schema}" TO "{role}"',
        f'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA "{schema}" TO "{role}"',
        f'GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA "{schema}" TO "{role}"',
        f'GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA "{schema}" TO "{role}"',
        f'REVOKE INSERT, UPDATE, DELETE ON "{schema}".alembic_version FROM "{role}"',
        *(f'REVOKE UPDATE, DELETE ON "{schema}"."{table}" FROM "{role}"' for table in append_only),
    ]
    for statement in statements:
        await connection.execute(text(statement))
