"""The named statements of `dispatch.sql`, and connections that plan them well."""

from pathlib import Path
from typing import Any, Final

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from service_kit.queries import load_queries

SQL: Final = load_queries(Path(__file__).with_name("dispatch.sql"))


def by_index(engine: AsyncEngine) -> AsyncEngine:
    """Makes the engine's connections find rows by index, and returns it.

    The hot tables are empty at one moment and full at the next, so what the planner believes of their size is
    often wrong, and a cached plan that reads all of a table stays for long. No statement of dispatch should
    ever read all of a table.
    """
    event.listen(engine.sync_engine, "connect", _avoid_scans)
    return engine


def _avoid_scans(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("SET enable_seqscan = off")
    cursor.close()
