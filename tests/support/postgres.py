"""A PostgreSQL for one test session, and a fresh database for each test."""

import asyncio
import importlib
import itertools
import tempfile
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import asyncpg

from service_kit.embedded import EmbeddedPostgres
from service_kit.migrate import migrate

T = TypeVar("T")

# Nothing here outlives the session, so nothing has to survive a crash of the host.
HASTY: Final = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class PostgresForTests:
    """One server with a template database per service; databases made from it take some 15 ms."""

    def __init__(self) -> None:
        self.server = EmbeddedPostgres(_folder(), settings=HASTY)
        self._loop = _LoopThread()
        self._numbers = itertools.count(1)
        self._templates: set[str] = set()
        self._admin: asyncpg.Connection | None = None

    def start(self) -> None:
        self.server.start()
        self._admin = self._loop.run(asyncpg.connect(self.server.url()))

    def stop(self) -> None:
        """Stops the server and deletes its data."""
        if self._admin is not None:
            self._loop.run(self._admin.close())
        self._loop.close()
        self.server.remove()

    @contextmanager
    def database(self, service: str | None = None) -> Iterator[str]:
        """URL of a new database, migrated for `service` (`queue_service`) or empty; dropped after use."""
        template = self._template(service) if service else "template0"
        name = f"test_{next(self._numbers)}"
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
        try:
            yield self.server.url(name)
        finally:
            self.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def execute(self, statement: str) -> None:
        """Runs one statement as superuser, outside of any test database."""
        assert self._admin is not None, "the server was not started"
        self._loop.run(self._admin.execute(statement))

    def _template(self, service: str) -> str:
        name = f"template_{service}"
        if name not in self._templates:
            store = importlib.import_module(f"{service}.store")
            self.execute(f'CREATE DATABASE "{name}"')
            url = self.server.url(name)
            self._loop.run(migrate(url, store.MIGRATIONS, store.SCHEMA, append_only=store.APPEND_ONLY))
            self._templates.add(name)
        return name


class _LoopThread:
    """An event loop in a thread of its own, so that session fixtures need none of pytest's."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="postgres-admin", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=60)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def _folder() -> Path:
    """Below no folder that only its owner can enter, unlike pytest's own."""
    return Path(tempfile.mkdtemp(prefix="batonpass-tests-"))
