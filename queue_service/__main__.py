"""The queue service as a process, and the one place where its parts are put together.

    python -m queue_service migrate                             creates or upgrades its schema, then ends
    python -m queue_service --listen 127.0.0.1:7402 --insecure-dev
    python -m queue_service serve --listen 0.0.0.0:7402 --tls-cert C --tls-key K --tls-ca A

`BATONPASS_QUEUE_DATABASE_URL` or `DATABASE_URL` names the database. `serve` is what it does without a verb.
"""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from batonpass.queue.v1.dispatch_service_pb2_grpc import add_DispatchServiceServicer_to_server
from batonpass.queue.v1.intake_service_pb2_grpc import add_IntakeServiceServicer_to_server
from batonpass.queue.v1.pull_service_pb2_grpc import add_PullServiceServicer_to_server
from batonpass.queue.v1.queue_service_pb2_grpc import add_QueueServiceServicer_to_server

from queue_service.api.dispatch_service import DispatchService
from queue_service.api.intake_service import IntakeService
from queue_service.api.pull_service import PullService
from queue_service.api.queue_service import QueueService
from queue_service.app.activity import ActivityFeed
from queue_service.app.awaiting import Awaiting
from queue_service.app.bell import CHANNELS, Bell
from queue_service.app.dispatch import Databases, Dispatch
from queue_service.app.due_tasks import DueTasks
from queue_service.app.holds import Holds
from queue_service.app.intake import Intake
from queue_service.app.limits import ExecutorLimits
from queue_service.app.maintenance import Maintenance
from queue_service.app.metrics import IntakeMetrics
from queue_service.app.outcomes import OutcomeFeed
from queue_service.app.peek import Peek
from queue_service.app.pull import Pull
from queue_service.app.signals import Signals
from queue_service.app.starvation import Starvation
from queue_service.app.submissions import Submissions
from queue_service.app.tasks import Tasks
from queue_service.settings import QueueSettings
from queue_service.store import APPEND_ONLY, MIGRATIONS, SCHEMA
from queue_service.store.changes import ChangeStore
from queue_service.store.claims import ClaimStore
from queue_service.store.dispatching import by_index
from queue_service.store.executors import ExecutorStore
from queue_service.store.holds import HoldStore
from queue_service.store.intake import IntakeStore
from queue_service.store.maintenance import MaintenanceStore
from queue_service.store.outcomes import OutcomeStore
from queue_service.store.pulls import PullStore
from queue_service.store.reads import TaskReader
from queue_service.store.starvation import StarvationStore
from queue_service.store.transitions import TransitionStore
from service_kit import entry
from service_kit.clock import DatabaseClock
from service_kit.loops import Loop, run_all
from service_kit.metrics import Metrics
from service_kit.migrate import runtime_role
from service_kit.notify import Listener, Notifier
from service_kit.oldschema import old_schema
from service_kit.postgres import Database, engine
from service_kit.readiness import Readiness, durability_check, schema_check
from service_kit.rpc import RpcServer
from service_kit.service import Service

NAME: Final = "queue"
OLD_SCHEMA: Final = "the queue's schema is not current; run `python -m queue_service migrate`"

RELAY: Final = timedelta(seconds=5)
"""How often everybody looks although no hint came; most poll faster by themselves."""


class Queue:
    """The whole service; neither database nor agents need to be there when it is made."""

    def __init__(self, settings: QueueSettings, replica: str) -> None:
        self._settings = settings
        self._databases: list[Database] = []
        self._api = self._database("api", settings.database_pool)
        self._clock = DatabaseClock(self._api.now)
        self._metrics = Metrics()
        self._notifier = Notifier(self._api)
        self._listener = Listener(settings.database_url, CHANNELS, "batonpass-queue-listener")
        dispatch = Databases(
            claims=self._database("claims", 3),
            finish=self._database("finish", 3),
            liveness=self._database("liveness", 2),
        )
        self._ended, self._happened = Bell(), Bell()
        self._dispatch = Dispatch(dispatch, self._clock, settings.terms, replica, self._metrics.registry)
        intake_store = IntakeStore(
            self._database("intake", 2), settings.key_retention, settings.terms.cancel_grace
        )
        self._signals = Signals(
            self._notifier.notify,
            self._dispatch.dispatcher,
            self._dispatch.recall,
            self._dispatch.holds,
            intake_store.forget_limits,
            self._ended,
            self._happened,
        )
        self._dispatch.completion.ended = self._signals.ended
        self._dispatch.completion.waiting = self._signals.returned
        self._claims = ClaimStore(dispatch.claims)
        self._intake = Intake(
            intake_store,
            self._clock,
            settings.key_retention,
            self._signals,
            IntakeMetrics(self._metrics.registry).count,
        )
        self.server = self._serve()
        self._readiness = Readiness(
            self._api, self.server.health, (schema_check(MIGRATIONS, SCHEMA, OLD_SCHEMA), durability_check())
        )

    async def run(self) -> None:
        """Works from the moment the database is there until it is cancelled."""
        watching = asyncio.create_task(run_all([self._readiness.loop]), name="readiness")
        try:
            await self._readiness.start(self._clock)
            await self._listener.start()
            await self.server.health.serving()
            others = asyncio.create_task(run_all(self._loops()), name="queue-loops")
            try:
                await self._dispatch.run()
            finally:
                others.cancel()
                await asyncio.wait({others})
        finally:
            watching.cancel()
            await asyncio.wait({watching})

    async def drain(self) -> None:
        """Ends the open streams; called when `run` has ended."""
        self._ended.close()
        self._happened.close()
        await self._dispatch.drain()

    async def close(self) -> None:
        """Stores what has been accepted and lets go of the database."""
        await self._intake.close()
        await self._dispatch.close()
        await self._notifier.close()
        await self._listener.stop()
        await self._clock.stop()
        for database in self._databases:
            await database.close()

    def _database(self, use: str, size: int) -> Database:
        made = engine(
            self._settings.database_url,
            pool_size=size,
            role=runtime_role(SCHEMA),
            name=f"batonpass-queue-{use}",
        )
        database = Database(by_index(made))
        self._databases.append(database)
        return database

    def _serve(self) -> RpcServer:
        clock, signals = self._clock, self._signals
        completion, roster = self._dispatch.completion, self._dispatch.roster
        reader, executors, pulls = (
            TaskReader(self._api),
            ExecutorStore(self._api),
            PullStore(self._api, self._claims),
        )
        outcomes = OutcomeStore(self._api)
        feed = OutcomeFeed(outcomes, self._ended)
        holds = Holds(HoldStore(self._api), clock, signals)
        queue = QueueService(
            Submissions(self._intake, reader, clock),
            Tasks(
                reader,
                executors,
                ChangeStore(self._api),
                clock,
                signals,
                self._dispatch.holds,
                self._settings.terms.cancel_grace,
            ),
            ExecutorLimits(executors, clock, signals),
            Starvation(StarvationStore(self._api), executors, clock, signals),
            ActivityFeed(TransitionStore(self._api), clock, self._happened),
            Awaiting(outcomes, feed, clock),
            holds,
            clock,
        )
        pull = PullService(
            Pull(reader, pulls, executors, completion, self._dispatch.holds, clock),
            Peek(reader, pulls, executors, self._dispatch.holds, clock),
            clock,
        )
        server = RpcServer(metrics=self._metrics, translate=old_schema(OLD_SCHEMA))
        server.add(add_QueueServiceServicer_to_server, queue)
        server.add(add_PullServiceServicer_to_server, pull)
        intake = IntakeService(DueTasks(self._intake, self._ended), feed, holds)
        server.add(add_IntakeServiceServicer_to_server, intake)
        server.add(add_DispatchServiceServicer_to_server, DispatchService(roster))
        return server

    def _loops(self) -> list[Loop]:
        maintenance = Maintenance(MaintenanceStore(self._api), self._clock, self._settings.retention)
        relays = [
            Loop(f"hints on {channel}", self._signals.relay(channel), RELAY, self._listener.event(channel))
            for channel in CHANNELS
        ]
        return [*relays, Loop("maintenance", maintenance.step, self._settings.maintenance_interval)]


@asynccontextmanager
async def build(settings: QueueSettings) -> AsyncIterator[Service]:
    """The service, not listening yet."""
    queue = Queue(settings, f"{socket.gethostname()}:{os.getpid()}")
    try:
        yield Service(server=queue.server, background=queue.run, drain=queue.drain)
    finally:
        await queue.close()


def main(arguments: Sequence[str]) -> int:
    """Returns the exit code."""
    return entry.main(
        arguments,
        name=NAME,
        usage=__doc__,
        settings=QueueSettings,
        build=build,
        migrations=MIGRATIONS,
        append_only=APPEND_ONLY,
    )


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
