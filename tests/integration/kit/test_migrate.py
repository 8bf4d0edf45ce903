"""Migrations of a schema of its own."""

import asyncio
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import text

from service_kit.errors import DatabaseUnavailable
from service_kit.migrate import migrate, runtime_role, schema_is_current
from service_kit.postgres import AsyncConnection, Database, engine

FIRST = '''
"""First."""
from alembic import op

revision, down_revision, branch_labels, depends_on = "0001", None, None, None


def upgrade():
    op.execute("CREATE TABLE kit_a.things (id bigint GENERATED ALWAYS AS IDENTITY)")
    op.execute("CREATE TABLE kit_a.trail (line text)")
'''

SECOND = '''
"""Second."""
from alembic import op

revision, down_revision, branch_labels, depends_on = "0002", "0001", None, None


def upgrade():
    op.execute("ALTER TABLE kit_a.things ADD COLUMN name text")
'''

BROKEN = SECOND.replace("ADD COLUMN name text", "ADD COLUMN name nonsense")


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    write(tmp_path, "pre_0001_first.py", FIRST)
    return tmp_path


def write(scripts: Path, name: str, content: str) -> None:
    folder = scripts / "versions"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(content)


async def current(database: Database, scripts: Path) -> bool:
    return await database.unit(lambda connection: schema_is_current(connection, scripts, "kit_a"))


async def columns(database: Database) -> int:
    query = "SELECT count(*) FROM pg_attribute WHERE attrelid = to_regclass('kit_a.things') AND attnum > 0"

    async def read(connection: AsyncConnection) -> int:
        return int(await connection.scalar(text(query)) or 0)

    return await database.unit(read)


async def test_schema_becomes_current_and_stays_so(
    empty_database_url: str, empty_database: Database, scripts: Path
) -> None:
    assert not await current(empty_database, scripts)
    await migrate(empty_database_url, scripts, "kit_a")
    await migrate(empty_database_url, scripts, "kit_a")
    assert await current(empty_database, scripts)
    assert await columns(empty_database) == 1


async def test_replicas_that_start_together_migrate_once(empty_database_url: str, scripts: Path) -> None:
    await asyncio.gather(*(migrate(empty_database_url, scripts, "kit_a") for _ in range(4)))


async def test_older_program_accepts_a_newer_schema(
    empty_database_url: str, empty_database: Database, scripts: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    newer = tmp_path_factory.mktemp("newer")
    write(newer, "pre_0001_first.py", FIRST)
    write(newer, "pre_0002_second.py", SECOND)
    await migrate(empty_database_url, scripts, "kit_a")
    assert not await current(empty_database, newer)
    await migrate(empty_database_url, newer, "kit_a")
    assert await current(empty_database, scripts)
    assert await current(empty_database, newer)
    assert await columns(empty_database) == 2


async def test_failed_migration_changes_nothing(
    empty_database_url: str, empty_database: Database, scripts: Path
) -> None:
    write(scripts, "pre_0002_second.py", BROKEN)
    with pytest.raises(Exception, match="nonsense"):
        await migrate(empty_database_url, scripts, "kit_a")
    assert await columns(empty_database) == 0


async def test_runtime_role_may_work_but_not_rewrite_the_trail(
    empty_database_url: str, scripts: Path
) -> None:
    await migrate(empty_database_url, scripts, "kit_a", append_only=["trail"])
    database = Database(engine(empty_database_url, role=runtime_role("kit_a")))
    allowed = (
        "INSERT INTO kit_a.things DEFAULT VALUES",
        "DELETE FROM kit_a.things",
        "INSERT INTO kit_a.trail VALUES ('x')",
        "SELECT * FROM kit_a.trail",
        "SELECT * FROM kit_a.alembic_version",
    )
    forbidden = (
        "DELETE FROM kit_a.trail",
        "UPDATE kit_a.trail SET line = 'y'",
        "DELETE FROM kit_a.alembic_version",
        "DROP TABLE kit_a.things",
    )
    for statement in allowed:
        await database.statement(lambda connection, sql=statement: connection.execute(sql))
    for statement in forbidden:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await database.statement(lambda connection, sql=statement: connection.execute(sql))
    await database.close()


async def test_login_without_createrole_goes_on_without_the_role(
    empty_database_url: str, empty_database: Database, scripts: Path
) -> None:
    """Managed PostgreSQL may give out no right to create roles."""
    await empty_database.statement(
        lambda connection: connection.execute(
            "CREATE ROLE kit_plain LOGIN PASSWORD 'plain'; GRANT ALL ON DATABASE "
            + empty_database_url.rpartition("/")[2]
            + " TO kit_plain"
        )
    )
    host = empty_database_url.rpartition("@")[2]
    try:
        await migrate(f"postgresql://kit_plain:plain@{host}", with_schema(scripts, "kit_b"), "kit_b")
    finally:
        await empty_database.statement(
            lambda connection: connection.execute("DROP OWNED BY kit_plain; DROP ROLE kit_plain")
        )


def with_schema(scripts: Path, schema: str) -> Path:
    write(scripts, "pre_0001_first.py", FIRST.replace("kit_a", schema))
    return scripts


async def test_absent_database_is_said(scripts: Path) -> None:
    with pytest.raises(DatabaseUnavailable):
        await migrate("postgresql://nobody:wrong@127.0.0.1:1/none", scripts, "kit_a")
