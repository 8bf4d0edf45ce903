"""Advisory locks: who may do a piece of work now. Only a hint; what the lock guards stays safe without it."""

import asyncio
import hashlib
import time
from collections.abc import Collection
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
BELIEF: Final = timedelta(seconds=8)
"""Longer than a keep-alive and its answer take, shorter than the server waits."""

_TRY: Final = "SELECT pg_try_advisory_lock($1)"
_TRY_SHARED: Final = "SELECT pg_try_advisory_lock_shared($1)"
_UNLOCK: Final = "SELECT pg_advisory_unlock($1)"
_UNLOCK_SHARED: Final = "SELECT pg_advisory_unlock_shared($1)"
_HOLDERS: Final = """
SELECT classid::bigint << 32 | objid::bigint AS number, count(*) AS holders FROM pg_locks
WHERE locktype = 'advisory' AND objsubid = 1 AND granted
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND classid::bigint << 32 | objid::bigint = ANY ($1::bigint[])
GROUP BY 1
"""


class AdvisoryLocks:
    """Session locks on one connection of its own, which never goes through a pooler.

    A keep-alive goes out every 2 s; PostgreSQL ends a session that was silent for 10 s and with it the
    locks. Here everything counts as lost after 3 s without an answer, and when the last question that was
    answered is 8 s old because this process stood still. So nobody believes in a lock longer than the server
    does.
    """

    def __init__(self, url: str | Dsn, name: str = "batonpass-locks") -> None:
        self._dsn = database_url(url)
        self._name = name
        self._connection: asyncpg.Connection[Any] | None = None
        self._asked = 0.0
        self._held: dict[str, str] = {}
        """How each is given back, by key."""
        self._busy = asyncio.Lock()
        self._keeper: asyncio.Task[None] | None = None
        self.lost = asyncio.Event()
        """Set whenever held locks were lost; whoever waits for it clears it."""

    @property
    def held(self) -> frozenset[str]:
        """The keys held now, as far as this side knows."""
        self._doubt()
        return frozenset(self._held)

    async def try_hold(self, key: str, *, shared: bool = False) -> bool:
        """True when the lock is, or already was, ours; False when another has it or PostgreSQL is away.

        Any number of sessions hold a `shared` one side by side.
        """
        take, give_back = (_TRY_SHARED, _UNLOCK_SHARED) if shared else (_TRY, _UNLOCK)
        async with self._busy:
            self._doubt()
            if key in self._held:
                return True
            got = await self._ask(take, lock_number(key))
            if got is None or not got[0][0]:
                return False
            self._held[key] = give_back
            return True

    async def release(self, key: str) -> None:
        """Gives the lock back; nothing happens when it is not held."""
        async with self._busy:
            give_back = self._held.pop(key, None)
            if give_back is not None:
                await self._ask(give_back, lock_number(key))

    async def holders(self, keys: Collection[str]) -> dict[str, int] | None:
        """How many sessions of this database hold each key; None when PostgreSQL is away."""
        numbers = {lock_number(key): key for key in keys}
        async with self._busy:
            rows = await self._ask(_HOLDERS, list(numbers))
        if rows is None:
            return None
        return dict.fromkeys(keys, 0) | {numbers[row["number"]]: row["holders"] for row in rows}

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

    async def _ask(self, statement: str, parameter: int | list[int]) -> Any:
        """The answer, or None when it could not be had; then every lock counts as lost."""
        try:
            connection = await self._connected()
            asked = time.monotonic()
            rows = await connection.fetch(statement, parameter, timeout=ANSWER_TIMEOUT.total_seconds())
        except Exception as error:
            if classify(error) is None:
                raise
            self._lose(error)
            return None
        self._asked = asked
        return rows

    def _doubt(self) -> None:
        """Locks that the server may have given to others are not believed in."""
        if self._held and time.monotonic() - self._asked > BELIEF.total_seconds():
            self._lose(TimeoutError("this process stood still"))

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
