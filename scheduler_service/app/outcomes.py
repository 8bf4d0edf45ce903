"""Follows the outcomes of tasks: statistics, and the events that the scheduler emits itself.

One follower per cluster, by a lock that only saves work: the cursor is moved by compare-and-swap in the
transaction that has the effects, and each (task, chain) counts once whatever the feed repeats.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

from batonpass.queue.v1 import intake_service_pb2 as pb

from scheduler_service.app.listeners import emit, hearers
from scheduler_service.app.metrics import SchedulerMetrics
from scheduler_service.app.outcome import ended_of, event_of
from scheduler_service.app.queue_client import CursorTooOld, OutcomeStream, QueueUnavailable
from scheduler_service.app.runs import stopped
from scheduler_service.app.shards import Locks
from scheduler_service.app.signals import Signals
from scheduler_service.domain.events import Event
from scheduler_service.domain.fire import Fire
from scheduler_service.domain.schedule import Schedule
from scheduler_service.store import outcomes as store
from scheduler_service.store import schedules
from scheduler_service.store.outcomes import Cursor, Ended
from service_kit.clock import Clock
from service_kit.logs import logger
from service_kit.postgres import AsyncConnection, Database

log = logger(__name__)

LOCK: Final = "scheduler/outcomes"
PATIENCE: Final = 1.0
"""Seconds to wait for an outcome before looking around."""

LOOK_EVERY: Final = 100
"""Responses after which a busy feed asks whether anybody listens still."""


class Feed(Protocol):
    """`QueueClient`, as far as it is needed here."""

    async def connected(self) -> None: ...

    def outcomes(self, cursor: str, *, all_tasks: bool, from_now: bool) -> OutcomeStream: ...


class OutcomeFollower:
    """`step` opens the feed where the stored cursor stands, or applies its next response."""

    def __init__(
        self,
        database: Database,
        locks: Locks,
        feed: Feed,
        clock: Clock,
        signals: Signals,
        metrics: SchedulerMetrics,
        patience: float = PATIENCE,
    ) -> None:
        self._database = database
        self._locks = locks
        self._feed = feed
        self._clock = clock
        self._signals = signals
        self._metrics = metrics
        self._patience = patience
        self._stream: OutcomeStream | None = None
        self._position = Cursor("", False)
        self._steps = 0

    async def step(self) -> float | None:
        """Returns 0 to go on, None when another replica follows.

        Raises QueueUnavailable when the queue is away.
        """
        if not await self._locks.try_hold(LOCK):
            self.close()
            return None
        try:
            await self._follow()
        except QueueUnavailable:
            self.close()
            raise
        except CursorTooOld:
            await self._skip_ahead()
        return 0.0

    def close(self) -> None:
        """Ends the stream."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    async def _follow(self) -> None:
        self._signals.triggers.clear()
        if self._stream is None or self._steps % LOOK_EVERY == 0:
            wanted = await self._database.unit(_wanted)
            if self._stream is None or wanted != self._position:
                await self._open(wanted)
        assert self._stream is not None
        response = await self._stream.next(self._signals.triggers, self._patience)
        # Nothing came: a good moment to look around.
        self._steps = 0 if response is None else self._steps + 1
        if response is not None and not await self.apply(response):
            self.close()

    async def _open(self, position: Cursor, *, from_now: bool = False) -> None:
        self.close()
        await self._feed.connected()
        self._position = position
        self._stream = self._feed.outcomes(
            "" if from_now else position.cursor, all_tasks=position.all_tasks, from_now=from_now
        )

    async def _skip_ahead(self) -> None:
        """What the queue has forgotten cannot be counted any more: say so, and go on from now."""
        log.error("outcomes were lost: the stored cursor is older than what the queue keeps")
        self._metrics.outcomes_lost.inc()
        try:
            await self._open(self._position, from_now=True)
        except QueueUnavailable:
            self.close()
            raise

    async def apply(self, response: pb.WatchOutcomesResponse) -> bool:
        """Applies outcomes and cursor in one transaction; False when the stream must be opened again."""
        if not response.outcomes and response.cursor == self._position.cursor:
            return True
        now = self._clock.now()
        fired = await self._database.unit(lambda connection: self._apply(connection, response, now))
        if fired is None:
            return False
        self._position = self._position._replace(cursor=response.cursor)
        self._metrics.outcomes.inc(len(response.outcomes))
        if fired:
            self._signals.fires_made()
            self._metrics.recorded(fired)
        return True

    async def _apply(
        self, connection: AsyncConnection, response: pb.WatchOutcomesResponse, now: datetime
    ) -> list[Fire] | None:
        """The fires that were made; None when the stored cursor is not where this stream began."""
        if await store.lock_cursor(connection) != self._position:
            return None
        ended = [ended_of(outcome) for outcome in response.outcomes if outcome.schedule_id]
        events = _events(response.outcomes) if self._position.all_tasks else []
        concerned = await _concerned(connection, events, ended)
        fired = await _emit(connection, events, concerned, now)
        in_row = await store.count(connection, ended)
        await _pause_failing(connection, concerned, in_row, now)
        await store.move_cursor(connection, response.cursor, now)
        return fired


async def _wanted(connection: AsyncConnection) -> Cursor:
    """The stored position; `all_tasks` is taken back when nobody listens any more.

    The cursor is locked before the listeners are read, so that a listener who comes meanwhile is seen.
    """
    position = await store.read_cursor(connection)
    if position.all_tasks == await schedules.listens_to_system(connection):
        return position
    position = await store.lock_cursor(connection)
    listening = await schedules.listens_to_system(connection)
    await store.want_all_tasks(connection, listening)
    return position._replace(all_tasks=listening)


def _events(outcomes: Sequence[pb.Outcome]) -> list[Event]:
    """`task.completed` and `error.critical`."""
    return [event for event in (event_of(outcome) for outcome in outcomes) if event is not None]


async def _concerned(
    connection: AsyncConnection, events: Sequence[Event], ended: Sequence[Ended]
) -> list[Schedule]:
    """Schedules that may listen, and those that failures may disable, locked in one order."""
    types = {(event.namespace, event.type) for event in events}
    failed = {(end.namespace, end.schedule_id) for end in ended if end.failed}
    return await store.lock_concerned(connection, types, failed) if types or failed else []


async def _emit(
    connection: AsyncConnection, events: Sequence[Event], concerned: Sequence[Schedule], now: datetime
) -> list[Fire]:
    """Emits events where somebody listens, and fires who does."""
    listeners = [schedule for schedule in concerned if schedule.listened_type is not None]
    heard = [event for event in events if hearers(event, listeners, now)]
    return await emit(connection, heard, listeners, now) if heard else []


async def _pause_failing(
    connection: AsyncConnection, concerned: Sequence[Schedule], in_row: Mapping[UUID, int], now: datetime
) -> None:
    """Disables the schedules whose tasks failed so often in a row that they ask for it."""
    for schedule in concerned:
        most = schedule.definition.pause_on_failure
        if schedule.enabled and most and in_row.get(schedule.incarnation, 0) >= most:
            await stopped(connection, schedule, now, f"paused after {most} failures in a row")
            log.warning("schedule was paused", schedule_id=schedule.schedule_id, failures_in_row=most)
