"""What became of the instants of a schedule, and what it all adds up to."""

from datetime import timedelta

from scheduler_service.app.tally import Tally
from scheduler_service.domain.errors import ScheduleNotFound
from scheduler_service.domain.fire import Disposition, Fire
from scheduler_service.domain.overdue import TOLERANCE
from scheduler_service.domain.schedule import Totals
from scheduler_service.domain.zone_rules import MovedSchedule
from scheduler_service.store import fires, schedules, zone_rules
from scheduler_service.store.fires import Position
from scheduler_service.store.totals import totals
from service_kit.caller import Caller
from service_kit.clock import Clock
from service_kit.postgres import AsyncConnection, Database


class Ledger:
    """Reads only."""

    def __init__(self, database: Database, clock: Clock, tolerance: timedelta = TOLERANCE) -> None:
        self._database = database
        self._clock = clock
        self._tolerance = tolerance
        self._tally = Tally(clock, self._count)

    async def page(
        self,
        caller: Caller,
        schedule_id: str,
        disposition: Disposition | None,
        before: Position | None,
        limit: int,
        backfill_id: str = "",
    ) -> list[tuple[int, Fire]]:
        """Numbers and fires, latest first. Raises ScheduleNotFound when nothing has that id."""

        async def work(connection: AsyncConnection) -> list[tuple[int, Fire]]:
            namespace = caller.namespace
            found = await fires.page(
                connection, namespace, schedule_id, disposition, before, limit, backfill_id
            )
            if not found and not await _is_known(connection, namespace, schedule_id):
                raise ScheduleNotFound(namespace, schedule_id)
            return found

        return await self._database.unit(work, readonly=True)

    async def moved(self, caller: Caller, before: int | None, limit: int) -> list[MovedSchedule]:
        """Schedules that new rules of time zones have moved, latest first, with numbers below `before`."""
        return await self._database.unit(
            lambda connection: zone_rules.page(connection, caller.namespace, before, limit), readonly=True
        )

    async def totals(self, caller: Caller, schedule_id: str | None) -> Totals:
        """Over the namespace, see `Tally`, or one schedule of it. Raises ScheduleNotFound."""
        if schedule_id is None:
            return await self._tally.of(caller.namespace)
        found = await self._count(caller.namespace, schedule_id)
        if found.schedules == 0:
            raise ScheduleNotFound(caller.namespace, schedule_id)
        return found

    async def _count(self, namespace: str, schedule_id: str | None = None) -> Totals:
        overdue_before = self._clock.now() - self._tolerance
        return await self._database.unit(
            lambda connection: totals(connection, namespace, schedule_id, overdue_before), readonly=True
        )


async def _is_known(connection: AsyncConnection, namespace: str, schedule_id: str) -> bool:
    if await schedules.read(connection, namespace, schedule_id) is not None:
        return True
    return bool(await fires.page(connection, namespace, schedule_id, None, None, 1))
