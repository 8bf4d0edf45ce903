"""What waits for the queue's verdict."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from scheduler_service.domain.fire import VERDICTS, Disposition
from scheduler_service.store.statements import SQL
from service_kit.postgres import Database, raw

_ANY_FIRE: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Parcel:
    """A due task on its way."""

    fire: int
    namespace: str
    schedule_id: str
    fire_id: str
    due_task: bytes


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the queue made of a fire."""

    fire: int
    disposition: Disposition
    detail: str


@dataclass(frozen=True, slots=True)
class Handover:
    """What is due by an instant and has no verdict yet."""

    unplanned: int
    unsettled: int
    last_fire: int


class Outbox:
    """Each method is one statement, and so one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take_unsent(self, shards: Collection[int], limit: int, now: datetime) -> list[Parcel]:
        """Marks at most `limit` parcels as sent and returns them, oldest first.

        From then on deleting the schedule leaves them alone: only their verdict removes them.
        """
        rows = await self._database.statement(
            lambda driver: driver.fetch(SQL["take_unsent"], sorted(shards), limit, now)
        )
        return sorted((Parcel(*row) for row in rows), key=lambda parcel: parcel.fire)

    async def unanswered(
        self,
        shards: Collection[int],
        after: int,
        sent_before: datetime,
        limit: int,
        under_way: Collection[int] = (),
    ) -> list[Parcel]:
        """Parcels that were sent but have no verdict, oldest first, without those `under_way`."""
        rows = await self._database.statement(
            lambda driver: driver.fetch(
                SQL["unanswered"], sorted(shards), after, sent_before, limit, list(under_way)
            )
        )
        return [Parcel(*row) for row in rows]

    async def settle(self, verdicts: Sequence[Verdict], now: datetime) -> int:
        """Settles the fires that are not, and forgets the parcels; returns how many of these there were.

        Fires that take one of the `max_runs` of a schedule are left for `settle_runs`.
        """
        arguments = (*_columns(verdicts), now, False)
        count: int = await self._database.statement(lambda driver: driver.fetchval(SQL["settle"], *arguments))
        return count


async def settle_runs(connection: AsyncConnection, verdicts: Sequence[Verdict], now: datetime) -> None:
    """Settles fires whichever they are. The schedules of whose `max_runs` they take one are locked."""
    await (await raw(connection)).fetchval(SQL["settle"], *_columns(verdicts), now, True)


def _columns(verdicts: Sequence[Verdict]) -> tuple[list[int], list[int], list[str]]:
    return (
        [verdict.fire for verdict in verdicts],
        [int(verdict.disposition) for verdict in verdicts],
        [verdict.detail for verdict in verdicts],
    )


async def waiting(
    connection: AsyncConnection, namespace: str, until: datetime, up_to: int = _ANY_FIRE
) -> Handover:
    """What of a namespace is not handed over: due by `until`, or fired with a number of at most `up_to`."""
    row = await (await raw(connection)).fetchrow(SQL["waiting_for_handover"], namespace, until, up_to)
    return Handover(row["unplanned"], row["unsettled"], row["last_fire"])


async def settled_since(connection: AsyncConnection, namespace: str, until: datetime, after: int) -> int:
    """Fires due by `until`, made after number `after`, that have their verdict."""
    verdicts = [int(verdict) for verdict in VERDICTS]
    driver = await raw(connection)
    count: int = await driver.fetchval(SQL["settled_since"], namespace, until, after, verdicts)
    return count
