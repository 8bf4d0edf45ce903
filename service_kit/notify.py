"""LISTEN and NOTIFY as hints that something may have changed; polling stays the truth."""

import asyncio
import random
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import asyncpg

from service_kit.dbfailure import classify
from service_kit.dsn import Dsn, database_url
from service_kit.errors import DatabaseUnavailable
from service_kit.logs import logger
from service_kit.loops import backoff
from service_kit.postgres import Database

log = logger(__name__)


class Listener:
    """One connection of its own that sets an event per channel.

    Every event is also set after each (re)connect, because hints sent in between are lost. The connection
    never goes through a transaction pooler.
    """

    def __init__(self, url: str | Dsn, channels: Iterable[str], name: str = "batonpass-listener") -> None:
        self._dsn = database_url(url)
        self._name = name
        self._events = {channel: asyncio.Event() for channel in channels}
        self._task: asyncio.Task[None] | None = None

    def event(self, channel: str) -> asyncio.Event:
        """The event of one channel; whoever waits for it clears it."""
        return self._events[channel]

    async def start(self) -> None:
        """Begins to listen in the background; a database that is away is no error."""
        self._task = self._task or asyncio.create_task(self._listen_for_ever(), name=self._name)

    async def stop(self) -> None:
        """Closes the connection."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _listen_for_ever(self) -> None:
        failures = 0
        while True:
            try:
                await self._listen()
                failures = 0
            except Exception as error:
                if classify(error) is None:
                    raise
                if not failures:
                    log.warning("listener waits for the database", reason=str(error))
                failures += 1
            await asyncio.sleep(backoff(failures + 1, random.random()).total_seconds())

    async def _listen(self) -> None:
        """Returns when the connection is gone."""
        connection = await self._dsn.connect({"application_name": self._name})
        gone = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _: gone.set())
            for channel in self._events:
                await connection.add_listener(channel, self._heard)
            for event in self._events.values():
                event.set()
            while not gone.is_set():
                await self._probe(connection, gone)
        finally:
            connection.terminate()

    async def _probe(self, connection: "asyncpg.Connection[Any]", gone: asyncio.Event) -> None:
        """A peer that was stopped sends no end of stream: ask now and then."""
        try:
            await asyncio.wait_for(gone.wait(), timeout=10)
        except TimeoutError:
            await connection.execute("SELECT 1", timeout=5)

    def _heard(self, _connection: Any, _pid: int, channel: str, _payload: object) -> None:
        self._events[channel].set()


class Notifier:
    """Sends hints outside of hot transactions, at most one per channel and `every`.

    A hint that cannot be sent is dropped: the other side polls.
    """

    def __init__(self, database: Database, every: timedelta = timedelta(milliseconds=20)) -> None:
        self._database = database
        self._every = every.total_seconds()
        self._pending: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    def notify(self, channel: str) -> None:
        """Asks for a hint on `channel`; returns at once. Call it after the transaction has committed."""
        self._pending.add(channel)
        if self._task is None:
            self._task = asyncio.create_task(self._send_all(), name="notifier")

    async def close(self) -> None:
        """Returns when the hints asked for before have been sent or dropped."""
        if self._task is not None:
            await asyncio.wait({self._task})

    async def _send_all(self) -> None:
        try:
            while self._pending:
                channels, self._pending = sorted(self._pending), set()
                await self._send(channels)
                await asyncio.sleep(self._every)
        finally:
            self._task = None

    async def _send(self, channels: list[str]) -> None:
        statement = "SELECT pg_notify(channel, '') FROM unnest($1::text[]) AS channel"
        try:
            await self._database.statement(lambda connection: connection.execute(statement, channels))
        except DatabaseUnavailable as error:
            log.debug("hint dropped", channels=channels, reason=error.message)
