"""The watchdog: a schedule that should have fired and has not is told, whoever hangs."""

import json
from datetime import timedelta

import asyncpg

from scheduler_service.domain.fire import FireKind
from scheduler_service.domain.spec import CronSpec, EventSpec
from service_kit.clock import ManualClock
from tests.integration.scheduler.calls import Api
from tests.integration.scheduler.conftest import MakeReplica
from tests.integration.scheduler.replica import ANN, Replica, at, definition
from tests.integration.scheduler.test_due import LUNAR
from tests.support.fake_queue import FakeQueue

MINUTELY = CronSpec("* * * * *")
OVERDUE = EventSpec("schedule.overdue")


async def watch(replica: Replica) -> None:
    while await replica.watchdog.step() == 0.0:
        pass


def gauge(replica: Replica) -> float | None:
    return replica.registry.get_sample_value("batonpass_schedules_overdue")


async def events(replica: Replica) -> int:
    return int(await replica.query("SELECT count(*) FROM scheduler.events"))


async def test_schedule_that_somebody_keeps_locked_is_told_once(
    make_replica: MakeReplica, clock: ManualClock, scheduler_database_url: str, queue: FakeQueue, api: Api
) -> None:
    """The firing loop passes over it for ever; the watchdog does not."""
    replica, other = make_replica(), make_replica()
    await replica.create("a", definition(MINUTELY))
    await replica.create("alarm", definition(OVERDUE))
    foreign = await asyncpg.connect(scheduler_database_url)
    async with foreign.transaction():
        await foreign.execute("SELECT FROM scheduler.schedules WHERE schedule_id = 'a' FOR UPDATE")
        clock.set(at("00:01:10"))
        await replica.due.step()
        await watch(replica)
        assert (gauge(replica), await events(replica)) == (0, 0)
        clock.set(at("00:01:11"))
        await replica.due.step()
        for each in (replica, other, replica):
            await watch(each)
            assert gauge(each) == 1
        assert (await replica.schedules.get(ANN, "a")).stats.overdue
        stats = await api.GetScheduleStats()
        assert stats.overdue == 1
        assert (await api.GetSchedule(schedule_id="a")).schedule.stats.overdue
    await foreign.close()
    (fire,) = await replica.fires("alarm")
    incarnation = (await replica.schedules.get(ANN, "a")).incarnation
    assert fire.kind is FireKind.EVENT
    assert fire.event == f"batonpass {incarnation}/2026-01-01T00:01:00.000000Z"
    await replica.hand_over()
    assert json.loads(queue.tasks[fire.fire_id].template.payload) == {
        "schedule_id": "a",
        "next_fire_time": "2026-01-01T00:01:00.000000Z",
        "overdue_seconds": 11.0,
    }


async def test_next_time_it_is_overdue_is_another_event(replica: Replica, clock: ManualClock) -> None:
    await replica.create("a", definition(MINUTELY))
    await replica.create("alarm", definition(OVERDUE))
    clock.set(at("00:01:20"))
    await watch(replica)
    await replica.fire_due()
    await watch(replica)
    assert gauge(replica) == 0
    assert not (await replica.schedules.get(ANN, "a")).stats.overdue
    clock.set(at("00:05:20"))
    await watch(replica)
    assert len(await replica.fires("alarm")) == 2


async def test_delay_by_jitter_is_no_lateness(replica: Replica, clock: ManualClock) -> None:
    created = await replica.create("a", definition(CronSpec("0 * * * *"), spread=timedelta(minutes=50)))
    assert created.due_at is not None
    clock.set(created.due_at + timedelta(seconds=10))
    await watch(replica)
    assert gauge(replica) == 0
    clock.advance(timedelta(seconds=1))
    await watch(replica)
    assert gauge(replica) == 1


async def test_schedule_that_cannot_be_read_is_overdue_as_well(replica: Replica, clock: ManualClock) -> None:
    await replica.create("a", definition(MINUTELY))
    await replica.create("alarm", definition(OVERDUE))
    await replica.rows("UPDATE scheduler.schedules SET timing = $1 WHERE schedule_id = 'a'", LUNAR)
    clock.advance(timedelta(minutes=1))
    await replica.fire_due()
    clock.advance(timedelta(minutes=1))
    await watch(replica)
    assert gauge(replica) == 1
    assert len(await replica.fires("alarm")) == 1


async def test_nothing_is_emitted_where_nobody_listens(replica: Replica, clock: ManualClock) -> None:
    await replica.create("a", definition(MINUTELY))
    await replica.create("wide", definition(EventSpec("schedule.*")))
    clock.advance(timedelta(minutes=5))
    await watch(replica)
    assert (gauge(replica), await events(replica)) == (1, 0)
