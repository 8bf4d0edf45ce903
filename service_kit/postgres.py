"""Engine and units of work on PostgreSQL: asyncpg under SQLAlchemy's pool."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeVar

import asyncpg
from sqlalchemy import event, exc, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from service_kit.dbfailure import Failure, classify
from service_kit.dsn import Dsn, database_url
from service_kit.errors import DatabaseUnavailable
from service_kit.logs import logger

__all__ = [
    "AsyncConnection",
    "Database",
    "DatabaseUnavailable",
    "database_url",
    "durability",
    "engine",
    "raw",
]

T = TypeVar("T")
Isolation = Literal["read_committed", "repeatable_read", "serializable"]

log = logger(__name__)

ATTEMPTS: Final = 3
POOL_TIMEOUT: Final = 5.0

SESSION_SETTINGS: Final = {
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "5s",
    "lock_timeout": "5s",
    "jit": "off",
    "timezone": "UTC",
}


def engine(
    url: str | Dsn, *, pool_size: int = 5, role: str | None = None, name: str = "batonpass"
) -> AsyncEngine:
    """An engine whose connections keep the house rules: timeouts, UTC, no JIT, `name` as application name.

    Connections become `role` when that role exists and the login may take it. The engine is in AUTOCOMMIT:
    `Database` is the one that opens transactions. Nothing connects before it is used.
    """
    dsn = database_url(url)

    async def connect(*_: Any, **__: Any) -> "asyncpg.Connection[Any]":
        connection = await dsn.connect({**SESSION_SETTINGS, "application_name": name})
        if role is not None:
            await _become(connection, role)
        return connection

    made = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        isolation_level="AUTOCOMMIT",
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT,
        pool_use_lifo=True,
    )
    event.listen(made.sync_engine, "checkout", _refuse_closed)
    return made


class Database:
    """Runs units of work that outlive their callers.

    gRPC cancels a handler when its client goes away, and cancelling SQLAlchemy in the middle leaks
    connections and locks. So each unit is a task of this object's own: the caller may leave, the unit ends
    on its own terms.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self._units: set[asyncio.Task[Any]] = set()

    async def unit(
        self,
        work: Callable[[AsyncConnection], Awaitable[T]],
        *,
        isolation: Isolation | None = None,
        readonly: bool = False,
    ) -> T:
        """Runs `work` in one transaction and returns its result after COMMIT.

        `work` may run up to 3 times (serialization failure, deadlock, a connection lost before COMMIT), so
        it has no effects outside of the transaction. An exception of `work` rolls back and is raised as it
        is. Raises DatabaseUnavailable when PostgreSQL is away, too slow or still in conflict;
        `outcome_unknown` is set when it went away during COMMIT.
        """
        return await self._own(_retried(lambda: self._transaction(work, isolation, readonly)))

    async def statement(self, work: "Callable[[asyncpg.Connection[Any]], Awaitable[T]]") -> T:
        """Runs `work`, which executes exactly one statement, without BEGIN and COMMIT: the fastest way.

        Not repeated except in conflicts; DatabaseUnavailable with `outcome_unknown` when the connection was
        lost.
        """
        return await self._own(_retried(lambda: self._autocommit(work)))

    async def now(self) -> datetime:
        """PostgreSQL's `clock_timestamp()`, UTC. Raises DatabaseUnavailable."""
        found = await self.statement(lambda connection: connection.fetchval("SELECT clock_timestamp()"))
        assert isinstance(found, datetime)
        return found.astimezone(UTC)

    async def close(self) -> None:
        """Waits for the units under way and closes every connection."""
        while self._units:
            await asyncio.wait(set(self._units))
        await self.engine.dispose()

    async def _own(self, unit: Coroutine[Any, Any, T]) -> T:
        task = asyncio.create_task(unit, name="database-unit")
        self._units.add(task)
        task.add_done_callback(self._forget)
        return await asyncio.shield(task)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._units.discard(task)
        if not task.cancelled():
            # Whoever still waits gets it; asking marks it as seen when nobody does.
            task.exception()

    async def _transaction(
        self, work: Callable[[AsyncConnection], Awaitable[T]], isolation: Isolation | None, readonly: bool
    ) -> T:
        async with self._connection() as (connection, driver):
            transaction = driver.transaction(isolation=isolation, readonly=readonly)
            await transaction.start()
            try:
                result = await work(connection)
            except BaseException:
                await _roll_back(connection, transaction)
                raise
            await _commit(transaction)
            return result

    async def _autocommit(self, work: "Callable[[asyncpg.Connection[Any]], Awaitable[T]]") -> T:
        async with self._connection() as (_, driver):
            try:
                return await work(driver)
            except Exception as error:
                if classify(error) is Failure.LOST:
                    raise DatabaseUnavailable(_sentence(Failure.LOST), outcome_unknown=True) from error
                raise

    @asynccontextmanager
    async def _connection(self) -> "AsyncIterator[tuple[AsyncConnection, asyncpg.Connection[Any]]]":
        """From the pool and back; a broken one is thrown away, since its driver may not have noticed yet."""
        async with self.engine.connect() as connection:
            try:
                yield connection, await raw(connection)
            except Exception as error:
                lost = isinstance(error, DatabaseUnavailable) or classify(error) is Failure.LOST
                if lost and not connection.invalidated:
                    await connection.invalidate()
                raise


async def raw(connection: AsyncConnection) -> "asyncpg.Connection[Any]":
    """The asyncpg connection below `connection`, in the same transaction, for hot prepared statements.

    `json` and `jsonb` travel as text on it, because SQLAlchemy has set its codecs.
    """
    driver = (await connection.get_raw_connection()).driver_connection
    assert driver is not None
    return driver


async def durability(connection: AsyncConnection) -> list[str]:
    """One sentence per server setting that weakens what COMMIT promises; empty when none does."""
    rows = await connection.execute(
        text(
            "SELECT name, setting FROM pg_settings"
            " WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit')"
        )
    )
    settings = {row.name: row.setting for row in rows}
    return [
        f"{name} is {settings[name]}: {meaning}"
        for name, weak, meaning in _WEAKER
        if settings.get(name) in weak
    ]


_WEAKER: Final = (
    ("fsync", ("off",), "a crash of the host may lose accepted work or damage the whole database"),
    ("full_page_writes", ("off",), "a crash of the host may damage pages that were being written"),
    ("synchronous_commit", ("off",), "a crash of the host or of PostgreSQL loses the last accepted work"),
)


async def _become(connection: "asyncpg.Connection[Any]", role: str) -> None:
    await connection.execute(
        "SELECT set_config('role', rolname, false) FROM pg_roles"
        " WHERE rolname = $1 AND pg_has_role(session_user, oid, 'MEMBER')",
        role,
    )


def _refuse_closed(dbapi_connection: Any, _record: object, _proxy: object) -> None:
    """Costs no round trip: asyncpg has seen the end of the socket by the time the pool hands it out."""
    if dbapi_connection.driver_connection.is_closed():
        raise exc.DisconnectionError("closed by the server")


async def _retried(once: Callable[[], Awaitable[T]]) -> T:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return await once()
        except DatabaseUnavailable:
            raise
        except Exception as error:
            failure = classify(error)
            if failure is None:
                raise
            if attempt == ATTEMPTS or failure is Failure.BUSY:
                raise DatabaseUnavailable(_sentence(failure)) from error
            log.debug("unit repeated", attempt=attempt, failure=failure.name, error=str(error))
        await asyncio.sleep(random.random() * 0.02 * attempt)
    raise AssertionError("unreachable")


async def _commit(transaction: Any) -> None:
    try:
        await transaction.commit()
    except Exception as error:
        if classify(error) is Failure.LOST:
            raise DatabaseUnavailable(_sentence(Failure.LOST), outcome_unknown=True) from error
        raise


async def _roll_back(connection: AsyncConnection, transaction: Any) -> None:
    """A connection that cannot roll back is thrown away; the reason to roll back matters more."""
    try:
        await transaction.rollback()
    except Exception:
        if not connection.invalidated:
            await connection.invalidate()


def _sentence(failure: Failure) -> str:
    return f"{failure.value}; repeat the request a little later"
