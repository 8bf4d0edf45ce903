"""The scheduler service as a process.

    python -m scheduler_service migrate                          creates or upgrades its schema, then ends
    python -m scheduler_service --listen 127.0.0.1:7401 --queue 127.0.0.1:7402 --insecure-dev
    python -m scheduler_service serve --listen 0.0.0.0:7401 --queue queue:7402 \\
        --tls-cert scheduler.pem --tls-key scheduler.key --tls-ca ca.pem

`BATONPASS_SCHEDULER_DATABASE_URL` or `DATABASE_URL` names the database. `serve` is what it does without a
verb.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from batonpass.scheduler.v1.backfill_service_pb2_grpc import add_BackfillServiceServicer_to_server
from batonpass.scheduler.v1.calendar_service_pb2_grpc import add_CalendarServiceServicer_to_server
from batonpass.scheduler.v1.event_service_pb2_grpc import add_EventServiceServicer_to_server
from batonpass.scheduler.v1.schedule_service_pb2_grpc import add_ScheduleServiceServicer_to_server
from batonpass.scheduler.v1.template_service_pb2_grpc import add_TemplateServiceServicer_to_server

from scheduler_service.api.backfill_service import BackfillService
from scheduler_service.api.calendar_service import CalendarService
from scheduler_service.api.creation import Makings
from scheduler_service.api.event_service import EventService
from scheduler_service.api.schedule_service import ScheduleService
from scheduler_service.api.template_service import TemplateService
from scheduler_service.app.awaiting import Awaiting
from scheduler_service.app.backfilling import BackfillLoop
from scheduler_service.app.backfills import Backfills
from scheduler_service.app.blackouts import Blackouts
from scheduler_service.app.calendars import Calendars
from scheduler_service.app.creating import Creator
from scheduler_service.app.due import DueLoop
from scheduler_service.app.event_log import EventLog
from scheduler_service.app.events import Publisher
from scheduler_service.app.gatherings import Gatherings
from scheduler_service.app.handover import Handover
from scheduler_service.app.ledger import Ledger
from scheduler_service.app.maintenance import Maintenance
from scheduler_service.app.metrics import SchedulerMetrics
from scheduler_service.app.outcomes import OutcomeFollower
from scheduler_service.app.preview import Preview
from scheduler_service.app.queue_client import QueueClient
from scheduler_service.app.replays import Replays
from scheduler_service.app.schedules import Schedules
from scheduler_service.app.settling import Settling
from scheduler_service.app.shards import Shards
from scheduler_service.app.signals import OUTBOX, TRIGGERS, Signals
from scheduler_service.app.templates import Templates
from scheduler_service.app.watchdog import Watchdog
from scheduler_service.app.window import Window
from scheduler_service.app.zone_rules import ZoneRules
from scheduler_service.settings import SchedulerSettings
from scheduler_service.store import APPEND_ONLY, MIGRATIONS, SCHEMA
from scheduler_service.store.outbox import Outbox
from service_kit import entry
from service_kit.clock import DatabaseClock
from service_kit.locks import AdvisoryLocks
from service_kit.loops import Loop, run_all
from service_kit.metrics import Metrics
from service_kit.migrate import runtime_role
from service_kit.notify import Listener, Notifier
from service_kit.oldschema import old_schema
from service_kit.postgres import Database, engine
from service_kit.readiness import Readiness, durability_check, schema_check
from service_kit.rpc import RpcServer
from service_kit.service import Service, service_tls
from service_kit.tls import open_channel

NAME: Final = "scheduler"
OLD_SCHEMA: Final = "the scheduler's schema is not current; run `python -m scheduler_service migrate`"
POLL: Final = timedelta(seconds=1)
HOUSEKEEPING: Final = timedelta(minutes=1)
WATCH: Final = timedelta(seconds=5)


class Scheduler:
    """The whole service; neither database nor queue need to be there when it is made."""

    def __init__(self, settings: SchedulerSettings) -> None:
        self._settings = settings
        self._api = self._database("api", settings.database_pool)
        self._background = self._database("loops", 4)
        self._clock = DatabaseClock(self._api.now)
        self._notifier = Notifier(self._api)
        self._listener = Listener(settings.database_url, (OUTBOX, TRIGGERS), "batonpass-scheduler-listener")
        self._signals = Signals(
            self._listener.event(OUTBOX), self._listener.event(TRIGGERS), self._notifier.notify
        )
        self._locks = AdvisoryLocks(settings.database_url, "batonpass-scheduler-locks")
        self._channel = open_channel(settings.queue, service_tls(settings), settings.insecure_dev)
        registry = Metrics()
        self._metrics = SchedulerMetrics(registry.registry)
        self._publisher = Publisher(self._api, self._clock, self._signals, self._metrics)
        self.server = self._serve(registry)
        self._readiness = Readiness(
            self._api, self.server.health, (schema_check(MIGRATIONS, SCHEMA, OLD_SCHEMA), durability_check())
        )

    async def run(self) -> None:
        """Works from the moment the database is there until it is cancelled."""
        watching = asyncio.create_task(run_all([self._readiness.loop]), name="readiness")
        try:
            await self._readiness.start(self._clock)
            await self._listener.start()
            await self.server.health.not_serving("the queue has not answered yet", "queue", calls_work=True)
            await self.server.health.serving()
            await self._work()
        finally:
            watching.cancel()
            await asyncio.wait({watching})

    async def close(self) -> None:
        """Stores what has been accepted and lets go of queue and database."""
        await self._publisher.close()
        await self._locks.stop()
        await self._notifier.close()
        await self._listener.stop()
        await self._channel.close()
        await self._clock.stop()
        await self._api.close()
        await self._background.close()

    async def _work(self) -> None:
        database, clock, signals, metrics = self._background, self._clock, self._signals, self._metrics
        outbox, window, queue = Outbox(database), Window(), QueueClient(self._channel)
        gatherings = Gatherings(database, clock, signals)
        due = DueLoop(database, clock, signals, metrics)
        handover = Handover(
            outbox, Shards(self._locks), queue, window, clock, signals, metrics, self.server.health
        )
        settling = Settling(database, outbox, window, clock, signals, metrics)
        backfilling = BackfillLoop(database, clock, signals, metrics)
        outcomes = OutcomeFollower(database, self._locks, queue, clock, signals, metrics)
        blackouts = Blackouts(database, queue, clock, metrics)
        maintenance = Maintenance(database, clock, signals, metrics)
        zone_rules = ZoneRules(database, clock, signals, metrics)
        watchdog = Watchdog(database, clock, signals, metrics, self._settings.overdue_after)
        loops = [
            Loop("due schedules", due.step, POLL, signals.due),
            Loop("hand-over", handover.step, POLL, signals.outbox),
            Loop("gathered events", gatherings.step, POLL, signals.gatherings),
            Loop("backfills", backfilling.step, POLL, signals.backfills),
            Loop("verdicts", settling.step, POLL, signals.verdicts),
            Loop("outcomes", outcomes.step, POLL, signals.triggers),
            Loop("blackouts", blackouts.step, POLL, signals.blackouts),
            Loop("maintenance", maintenance.step, HOUSEKEEPING),
            Loop("time zones", zone_rules.step, HOUSEKEEPING),
            Loop("watchdog", watchdog.step, WATCH),
        ]
        try:
            await run_all(loops)
        finally:
            outcomes.close()
            await handover.close()

    def _serve(self, registry: Metrics) -> RpcServer:
        database, clock, signals = self._api, self._clock, self._signals
        tolerance = self._settings.overdue_after
        schedules = Schedules(database, clock, signals, self._metrics, tolerance)
        templates = Templates(database, clock, signals, self._metrics)
        calendars = Calendars(database, clock, signals, self._metrics)
        server = RpcServer(metrics=registry, translate=old_schema(OLD_SCHEMA))
        server.add(
            add_ScheduleServiceServicer_to_server,
            ScheduleService(
                Creator(database, clock, signals),
                schedules,
                Ledger(database, clock, tolerance),
                Preview(schedules, calendars, clock),
                Awaiting(database, clock, signals),
                Makings(templates),
            ),
        )
        backfills = BackfillService(Backfills(database, clock, signals))
        server.add(add_BackfillServiceServicer_to_server, backfills)
        server.add(add_CalendarServiceServicer_to_server, CalendarService(calendars))
        server.add(add_TemplateServiceServicer_to_server, TemplateService(templates))
        replays = Replays(database, clock, signals, self._metrics)
        events = EventService(self._publisher, EventLog(database, clock), replays, clock)
        server.add(add_EventServiceServicer_to_server, events)
        return server

    def _database(self, use: str, size: int) -> Database:
        return Database(
            engine(
                self._settings.database_url,
                pool_size=size,
                role=runtime_role(SCHEMA),
                name=f"batonpass-scheduler-{use}",
            )
        )


@asynccontextmanager
async def build(settings: SchedulerSettings) -> AsyncIterator[Service]:
    """The service, not listening yet."""
    scheduler = Scheduler(settings)
    try:
        yield Service(server=scheduler.server, background=scheduler.run)
    finally:
        await scheduler.close()


def main(arguments: Sequence[str]) -> int:
    """Returns the exit code."""
    return entry.main(
        arguments,
        name=NAME,
        usage=__doc__,
        settings=SchedulerSettings,
        build=build,
        migrations=MIGRATIONS,
        append_only=APPEND_ONLY,
    )


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
