"""Advisory locks: who may do a piece of work now. Only a hint; what the lock guards stays safe without it."""

import asyncio
import hashlib
from datetime import timedelta
from typing import Any, Final

import asyncpg

from service_kit.dbfailure import classify
from service_kit.dsn import Dsn, database_url
from service_kit.logs import logger

log = logger(__name__)

IDLE_TIMEOUT: Final = timedelta(seconds=10)
KEEP_ALIVE: Final = timedelta(seconds=2)
ANSWER_TIMEOUT: Final = timedelta(seconds=3)


class AdvisoryLocks:
    """Session locks on one connection of its own, which never goes through a pooler.

    A keep-alive goes out every 2 s; PostgreSQL ends a session that was silent for 10 s and with it the
    locks, and here everything counts as lost after 3 s without an answer, so nobody believes in a lock
    longer than the server does.
    """

    def __init__(self, url: str | Dsn, name: str = "batonpass-locks") -> None:
        self._dsn = database_url(url)
        self._name = name
        self._connection: asyncpg.Connection[Any] | None = None
        self._held: set[str] = set()
        self._busy = asyncio.Lock()
        self._keeper: asyncio.Task[None] | None = None
        self.lost = asyncio.Event()
        """Set whenever held locks were lost; whoever waits for it clears it."""

    @property
    def held(self) -> frozenset[str]:
        """The keys held now, as far as this side knows."""
        return frozenset(self._held)

    async def try_hold(self, key: str) -> bool:
        """True when the lock is, or already was, ours; False when another has it or PostgreSQL is away."""
        async with self._busy:
            if key in self._held:
                return True
            got = await self._ask("SELECT pg_try_advisory_lock($1)", lock_number(key))
            if got:
                self._held.add(key)
            return bool(got)

    async def release(self, key: str) -> None:
        """Gives the lock back; nothing happens when it is not held."""
        async with self._busy:
            if key in self._held:
                self._held.discard(key)
                await self._ask("SELECT pg_advisory_unlock($1)", lock_number(key))

    async def stop(self) -> None:
        """Gives everything back; it is free for others on return, unless PostgreSQL is away."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
            self._keeper = None
        connection, self._connection = self._connection, None
        self._held.clear()
        if connection is not None:
            try:
                await connection.close(timeout=ANSWER_TIMEOUT.total_seconds())
            except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                connection.terminate()

    async def _ask(self, statement: str, number: int) -> bool | None:
        """The answer, or None when it could not be had; then every lock counts as lost."""
        try:
            connection = await self._connected()
            answer = await connection.fetchval(statement, number, timeout=ANSWER_TIMEOUT.total_seconds())
        except Exception as error:
            if classify(error) is None:
                raise
            self._lose(error)
            return None
        return bool(answer)

    async def _connected(self) -> "asyncpg.Connection[Any]":
        if self._connection is None:
            idle = f"{int(IDLE_TIMEOUT.total_seconds() * 1000)}ms"
            self._connection = await self._dsn.connect(
                {"application_name": self._name, "idle_session_timeout": idle}
            )
            self._connection.add_termination_listener(self._terminated)
        self._keeper = self._keeper or asyncio.create_task(self._keep_alive(), name=self._name)
        return self._connection

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(KEEP_ALIVE.total_seconds())
            async with self._busy:
                if self._connection is not None:
                    await self._ask("SELECT $1::bigint IS NOT NULL", 0)

    def _terminated(self, connection: Any) -> None:
        if connection is self._connection:
            self._lose(ConnectionResetError("the session has ended"))

    def _lose(self, error: Exception) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()
        if self._held:
            log.warning("locks lost", keys=sorted(self._held), reason=str(error))
            self._held.clear()
            self.lost.set()


def lock_number(key: str) -> int:
    """The 64-bit number of a lock in PostgreSQL: the same for the same key, for ever."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big", signed=True)
