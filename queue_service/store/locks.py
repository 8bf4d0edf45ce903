"""Advisory locks of a transaction, taken before any row."""

from collections.abc import Iterable

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from service_kit.locks import lock_number

_TAKE = text("SELECT pg_advisory_xact_lock(n) FROM unnest(CAST(:numbers AS bigint[])) AS n")


def schedule_lock(namespace: str, schedule_id: str) -> int:
    """Held while fires of a schedule are judged, and while a task leaves the schedule's sequence.

    So its first task is always ready.
    """
    return lock_number(f"queue/schedule/{namespace}/{schedule_id}")


async def hold(connection: AsyncConnection, numbers: Iterable[int]) -> None:
    """Takes the locks, in one order everywhere, until the transaction ends.

    Statements that rely on them come after this one: only then does their snapshot see what others committed.
    """
    wanted = sorted(set(numbers))
    if wanted:
        await connection.execute(_TAKE, {"numbers": wanted})
