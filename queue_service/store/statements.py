"""The named statements of `queries.sql`, and the exception from reading by index."""

from pathlib import Path
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from service_kit.queries import load_queries

SQL: Final = load_queries(Path(__file__).with_name("queries.sql"))


async def read_freely(connection: AsyncConnection) -> None:
    """For this transaction the planner may read whole tables, as it is best for counts (see `by_index`)."""
    await connection.execute(text("SET LOCAL enable_seqscan = on"))
