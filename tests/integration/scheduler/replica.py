"""One replica of the scheduler without its loops: tests call the steps."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import grpc.aio
from batonpass.options import CLIENT_OPTIONS
from batonpass.queue.v1.task_pb2 import TaskTemplate
from prometheus_client import CollectorRegistry

from scheduler_service.app.backfilling import BackfillLoop
from scheduler_service.app.backfills import Backfills
from scheduler_service.app.blackouts import Blackouts
from scheduler_service.app.calendars import Calendars
from scheduler_service.app.creating import Creation, Creator
from scheduler_service.app.due import DueLoop
from scheduler_service.app.event_log import EventLog
from scheduler_service.app.events import Publisher
from scheduler_service.app.gatherings import Gatherings
from scheduler_service.app.handover import Handover
from scheduler_service.app.ledger import Ledger
from scheduler_service.app.maintenance import Maintenance
from scheduler_service.app.metrics import SchedulerMetrics
from scheduler_service.app.outcomes import OutcomeFollower
from scheduler_service.app.queue_client import QueueClient
from scheduler_service.app.replays import Replays
from scheduler_service.app.schedules import Schedules
from scheduler_service.app.settling import Settling
from scheduler_service.app.shards import Shards
from scheduler_service.app.signals import Signals
from scheduler_service.app.templates import Templates
from scheduler_service.app.watchdog import Watchdog
from scheduler_service.app.window import Window
from scheduler_service.app.zone_rules import ZoneRules
from scheduler_service.domain.catch_up import CatchUp
from scheduler_service.domain.fire import Fire
from scheduler_service.domain.overlap import Overlap
from scheduler_service.domain.schedule import Definition, Schedule
from scheduler_service.domain.spec import Spec
from scheduler_service.domain.timing import Timing
from scheduler_service.store import SCHEMA
from scheduler_service.store.outbox import Outbox
from service_kit.caller import Caller
from service_kit.clock import ManualClock
from service_kit.health import Health
from service_kit.locks import AdvisoryLocks
from service_kit.migrate import runtime_role
from service_kit.postgres import Database, engine

ANN = Caller("default", "ann")
PATIENCE = 10.0


def definition(
    spec: Spec,
    *,
    zone: str = "UTC",
    catch_up: CatchUp = CatchUp.LATEST,
    overlap: Overlap = Overlap.ALLOW_ALL,
    window: timedelta = timedelta(hours=1),
    payload: bytes = b"",
    handler: str = "name:work",
    jitter: timedelta = timedelta(),
    spread: timedelta = timedelta(),
    timing: dict[str, Any] | None = None,
    **more: Any,
) -> Definition:
    template = TaskTemplate(handler=handler, payload=payload)
    return Definition(
        timing=Timing(specs=(spec,), time_zone=zone, jitter=jitter, spread=spread, **(timing or {})),
        template=template.SerializeToString(deterministic=True),
        has_payload=bool(payload),
        overlap=overlap,
        catch_up=catch_up,
        window=window,
        **more,
    )


class Replica:
    """Everything on one database pool and one channel of its own."""

    def __init__(
        self, url: str, clock: ManualClock, queue_address: str = "127.0.0.1:1", window: int = 2000
    ) -> None:
        self.database = Database(
            engine(url, pool_size=4, role=runtime_role(SCHEMA), name="batonpass-replica")
        )
        self.locks = AdvisoryLocks(url)
        self.channel = grpc.aio.insecure_channel(
            queue_address, options=(*CLIENT_OPTIONS, ("grpc.use_local_subchannel_pool", 1))
        )
        self.clock = clock
        self.signals = Signals()
        self.window = Window(window)
        self.registry = CollectorRegistry()
        metrics = SchedulerMetrics(self.registry)
        database, signals, queue = self.database, self.signals, QueueClient(self.channel)
        self.outbox = Outbox(database)
        self.creator = Creator(database, clock, signals)
        self.schedules = Schedules(database, clock, signals, metrics)
        self.templates = Templates(database, clock, signals, metrics)
        self.calendars = Calendars(database, clock, signals, metrics)
        self.blackouts = Blackouts(database, queue, clock, metrics)
        self.ledger = Ledger(database, clock)
        self.publisher = Publisher(database, clock, signals, metrics)
        self.event_log = EventLog(database, clock)
        self.replays = Replays(database, clock, signals, metrics)
        self.backfills = Backfills(database, clock, signals)
        self.backfilling = BackfillLoop(database, clock, signals, metrics)
        self.due = DueLoop(database, clock, signals, metrics)
        self.gatherings = Gatherings(database, clock, signals)
        shards = Shards(self.locks)
        self.handover = Handover(self.outbox, shards, queue, self.window, clock, signals, metrics, Health())
        self.settling = Settling(database, self.outbox, self.window, clock, signals, metrics)
        self.outcomes = OutcomeFollower(database, self.locks, queue, clock, signals, metrics, patience=0.2)
        self.maintenance = Maintenance(database, clock, signals, metrics)
        self.zone_rules = ZoneRules(database, clock, signals, metrics)
        self.metrics = metrics
        self.watchdog = Watchdog(database, clock, signals, metrics)

    async def close(self) -> None:
        """As a stop, or, for the database's and the queue's eyes, a kill."""
        self.outcomes.close()
        await self.handover.close()
        await self.publisher.close()
        await self.locks.stop()
        await self.channel.close()
        await self.database.close()

    async def create(
        self, schedule_id: str, made: Definition, *, enabled: bool = True, caller: Caller = ANN
    ) -> Schedule:
        creation = Creation(
            schedule_id=schedule_id, definition=made, enabled=enabled, request_id="", fingerprint=b""
        )
        return await self.creator.create(caller, creation)

    async def fire_due(self) -> None:
        """Steps until nothing is due."""
        while await self.due.step() == 0.0:
            pass

    async def send(self) -> None:
        """Steps until nothing is left to send or there is no room."""
        while await self.handover.step() == 0.0:
            pass

    async def settle(self, count: int) -> None:
        """Writes down verdicts as they come until `count` more fires are settled."""
        async with asyncio.timeout(PATIENCE):
            while count > 0:
                await self.signals.verdicts.wait()
                self.signals.verdicts.clear()
                before = len(self.window)
                while await self.settling.step() == 0.0:
                    pass
                count -= before - len(self.window)

    async def hand_over(self) -> None:
        """Sends and settles until the outbox is empty."""
        async with asyncio.timeout(3 * PATIENCE):
            while await self.waiting():
                await self.send()
                await self.settle(len(self.window))

    async def waiting(self) -> int:
        """Fires in the outbox."""
        return int(await self.query("SELECT count(*) FROM scheduler.outbox"))

    async def fires(self, schedule_id: str) -> list[Fire]:
        """Oldest first."""
        page = await self.ledger.page(ANN, schedule_id, None, None, 1000)
        return [fire for _, fire in reversed(page)]

    async def query(self, statement: str, *arguments: object) -> Any:
        """One value."""
        return await self.database.statement(lambda driver: driver.fetchval(statement, *arguments))

    async def rows(self, statement: str, *arguments: object) -> list[Any]:
        return list(await self.database.statement(lambda driver: driver.fetch(statement, *arguments)))


def at(text: str) -> datetime:
    """`00:05` on 1 January 2026, UTC: the day on which the clock of the tests starts."""
    return datetime.fromisoformat(f"2026-01-01T{text}+00:00")
