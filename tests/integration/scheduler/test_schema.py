"""The migrations and the tables say the same."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from scheduler_service.store import APPEND_ONLY, MIGRATIONS, SCHEMA
from scheduler_service.store.tables import metadata
from service_kit.migrate import schema_is_current
from service_kit.postgres import AsyncConnection, Database


def differences(connection: Connection) -> list[object]:
    def ours(name: str | None, kind: str, _: object) -> bool:
        return name == SCHEMA if kind == "schema" else name != "alembic_version"

    options = {"include_schemas": True, "include_name": ours, "compare_server_default": True}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


def checks(connection: Connection) -> dict[tuple[str, str], str]:
    rows = connection.execute(
        text(
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE contype = 'c' AND connamespace = 'scheduler'::regnamespace"
        )
    )
    return {(table, name): definition for table, name, definition in rows}


async def test_migrations_make_the_tables(scheduler_database: Database) -> None:
    async def compare(connection: AsyncConnection) -> None:
        assert await connection.run_sync(differences) == []
        assert await schema_is_current(connection, MIGRATIONS, SCHEMA)

    await scheduler_database.unit(compare, readonly=True)


async def test_checks_are_those_that_the_tables_derive_from_the_domain(
    scheduler_database: Database, empty_database: Database
) -> None:
    """Alembic does not compare CHECKs: make the tables a second time from the metadata and compare."""

    async def create(connection: AsyncConnection) -> dict[tuple[str, str], str]:
        await connection.execute(text("CREATE SCHEMA scheduler"))
        await connection.run_sync(metadata.create_all)
        return await connection.run_sync(checks)

    derived = await empty_database.unit(create)
    assert await scheduler_database.unit(lambda connection: connection.run_sync(checks)) == derived
    assert len(derived) == 13


async def test_running_service_cannot_change_the_audit_trail(scheduler_database: Database) -> None:
    async def privileges(connection: AsyncConnection) -> list[tuple[bool, bool, bool]]:
        question = text(
            "SELECT has_table_privilege(t, 'INSERT'), has_table_privilege(t, 'UPDATE'),"
            " has_table_privilege(t, 'DELETE') FROM unnest(CAST(:tables AS text[])) AS t"
        )
        rows = await connection.execute(question, {"tables": [f"{SCHEMA}.{table}" for table in APPEND_ONLY]})
        return [tuple(row) for row in rows]

    assert await scheduler_database.unit(privileges) == [(True, False, False)]


async def test_columns_that_refer_to_others_are_ordered_like_them(scheduler_database: Database) -> None:
    """With another collation no index on them serves a join."""
    query = """
        SELECT a.attname FROM pg_constraint c
        CROSS JOIN LATERAL unnest(c.conkey, c.confkey) AS k(own, other)
        JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.own
        JOIN pg_attribute b ON b.attrelid = c.confrelid AND b.attnum = k.other
        WHERE c.contype = 'f' AND c.connamespace = 'scheduler'::regnamespace
          AND a.attcollation <> b.attcollation
    """

    async def found(connection: AsyncConnection) -> list[str]:
        return list((await connection.execute(text(query))).scalars())

    assert await scheduler_database.unit(found, readonly=True) == []
