"""Backfills on the database and through the API: every instant once, whatever is killed, and progress."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

from batonpass.queue.v1 import intake_service_pb2 as queue_pb
from batonpass.queue.v1.task_pb2 import OVERLAP_POLICY_SKIP, TaskTemplate
from batonpass.scheduler.v1 import backfill_service_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp

from scheduler_service.domain.fire import Disposition, FireKind
from scheduler_service.domain.overlap import Overlap
from scheduler_service.domain.spec import CronSpec, EventSpec
from service_kit.clock import ManualClock
from tests.integration.scheduler.calls import EXISTS, INVALID, NOT_FOUND, Api, cron, refused, schedule
from tests.integration.scheduler.conftest import MakeReplica
from tests.integration.scheduler.replica import ANN, Replica, at, definition
from tests.support.fake_queue import FakeQueue

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
MINUTELY = CronSpec("* * * * *")
RUNNING, DONE, CANCELLED = (
    pb.BACKFILL_STATE_RUNNING,
    pb.BACKFILL_STATE_DONE,
    pb.BACKFILL_STATE_CANCELLED,
)


def stamp(instant: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(instant)
    return made


def stretch(first: str, until: str, **fields: Any) -> pb.Backfill:
    return pb.Backfill(schedule_id="a", from_time=stamp(at(first)), until_time=stamp(at(until)), **fields)


async def start(api: Api, first: str = "00:10", until: str = "00:15", **fields: Any) -> pb.Backfill:
    backfill: pb.Backfill = (await api.CreateBackfill(backfill=stretch(first, until, **fields))).backfill
    return backfill


async def get(api: Api, backfill: pb.Backfill) -> pb.Backfill:
    found: pb.Backfill = (await api.GetBackfill(backfill_id=backfill.backfill_id)).backfill
    return found


async def work(replica: Replica, clock: ManualClock, turns: int, every: timedelta = SECOND) -> None:
    for _ in range(turns):
        await replica.backfilling.step()
        clock.advance(every)


async def test_instants_are_fired_oldest_first_at_the_rate(
    api: Api, replica: Replica, clock: ManualClock, queue: FakeQueue
) -> None:
    clock.set(at("12:00"))
    made = schedule("a", cron("* * * * *"), template=TaskTemplate(handler="name:work", priority=7))
    await api.CreateSchedule(schedule=made)
    created = await api.CreateBackfill(backfill=stretch("00:10", "00:15"))
    backfill = created.backfill
    assert (backfill.state, backfill.total, backfill.per_minute, backfill.priority) == (RUNNING, 5, 60, 5)
    assert list(created.first_times) == [stamp(at(f"00:1{n}")) for n in range(5)]
    await work(replica, clock, 3)
    running = await get(api, backfill)
    assert (running.fired, running.next_time, running.actor) == (3, stamp(at("00:13")), "ann")
    await work(replica, clock, 3)
    await replica.hand_over()
    done = await get(api, backfill)
    assert (done.state, done.fired, done.accepted, done.refused) == (DONE, 5, 5, 0)
    assert done.HasField("end_time")
    fires = [fire for fire in await replica.fires("a") if fire.kind is FireKind.BACKFILL]
    assert [fire.nominal for fire in fires] == [at(f"00:1{n}") for n in range(5)]
    assert {(fire.backfill_id, fire.actor) for fire in fires} == {(backfill.backfill_id, "ann")}
    tasks = [queue.tasks[name] for name in dict.fromkeys(queue.arrivals)]
    assert [task.nominal_time for task in tasks] == [stamp(at(f"00:1{n}")) for n in range(5)]
    assert {(task.template.priority, task.overlap_policy) for task in tasks} == {(5, int(Overlap.BUFFER_ALL))}
    await replica.schedules.run(ANN, "a", "", Overlap.ALLOW_ALL)
    listed = await api.ListFires(schedule_id="a", backfill_id=backfill.backfill_id)
    assert len(listed.fires) == 5


async def test_dry_run_counts_and_stores_nothing(api: Api, replica: Replica) -> None:
    await replica.create("a", definition(MINUTELY))
    response = await api.CreateBackfill(backfill=stretch("00:00", "02:00", per_minute=6), dry_run=True)
    assert (response.backfill.total, response.backfill.backfill_id) == (120, "")
    assert len(response.first_times) == 10
    assert (await api.ListBackfills()).backfills == []


async def test_stretch_of_time_to_come_fires_at_once_beside_the_schedule(
    api: Api, replica: Replica, clock: ManualClock
) -> None:
    await replica.create("a", definition(MINUTELY))
    await start(api, "00:01", "00:03", per_minute=60_000)
    await work(replica, clock, 2, timedelta())
    await replica.backfilling.step()
    clock.advance(2 * MINUTE)
    await replica.fire_due()
    fires = await replica.fires("a")
    assert [(fire.nominal, fire.kind) for fire in fires if fire.kind is FireKind.BACKFILL] == [
        (at("00:01"), FireKind.BACKFILL)
    ]
    await work(replica, clock, 1)
    kinds = {(fire.nominal, fire.kind) for fire in await replica.fires("a") if fire.fire_id}
    assert {(at("00:02"), FireKind.BACKFILL), (at("00:02"), FireKind.TIME)} <= kinds


async def test_replicas_at_once_and_crashes_fire_each_instant_once(
    make_replica: MakeReplica, clock: ManualClock, queue: FakeQueue, api: Api
) -> None:
    replicas = [make_replica() for _ in range(3)]
    await replicas[0].create("a", definition(MINUTELY))
    backfills = [await start(api, "00:00", "01:00", per_minute=600) for _ in range(2)]
    for turn in range(30):
        await asyncio.gather(*(each.backfilling.step() for each in replicas for _ in range(2)))
        clock.advance(SECOND)
        if turn == 10:
            await replicas.pop().close()
    await replicas[0].hand_over()
    rows = await replicas[0].rows("SELECT key FROM scheduler.fires WHERE kind = 4")
    assert len(rows) == len({row["key"] for row in rows}) == 120
    for backfill in backfills:
        done = await get(api, backfill)
        assert (done.state, done.fired, done.accepted) == (DONE, 60, 60)


async def test_what_the_queue_keeps_out_is_told(
    api: Api, replica: Replica, clock: ManualClock, queue: FakeQueue
) -> None:
    queue.judge = lambda task: queue_pb.DueTaskVerdict(
        verdict=queue_pb.VERDICT_SKIPPED_OVERLAP if queue.tasks else queue_pb.VERDICT_CREATED
    )
    await replica.create("a", definition(MINUTELY))
    backfill = await start(api, overlap_policy=OVERLAP_POLICY_SKIP)
    await work(replica, clock, 6)
    await replica.hand_over()
    done = await get(api, backfill)
    assert (done.state, done.accepted, done.refused) == (DONE, 1, 4)
    assert {task.overlap_policy for task in queue.tasks.values()} == {OVERLAP_POLICY_SKIP}


async def test_cancelling_stops_what_was_not_fired(api: Api, replica: Replica, clock: ManualClock) -> None:
    await replica.create("a", definition(MINUTELY))
    backfill = await start(api)
    await work(replica, clock, 2)
    for _ in range(2):
        cancelled = (await api.CancelBackfill(backfill_id=backfill.backfill_id)).backfill
        assert (cancelled.state, cancelled.fired) == (CANCELLED, 2)
    await work(replica, clock, 2)
    await replica.hand_over()
    assert ((await get(api, backfill)).fired, (await get(api, backfill)).accepted) == (2, 2)


async def test_deleting_the_schedule_cancels_its_backfills(
    api: Api, replica: Replica, clock: ManualClock
) -> None:
    await replica.create("a", definition(MINUTELY))
    backfill = await start(api)
    await replica.schedules.delete(ANN, "a")
    await replica.create("a", definition(MINUTELY))
    await work(replica, clock, 2)
    assert (await get(api, backfill)).state == CANCELLED
    assert await replica.fires("a") == []


async def test_fires_that_a_delete_kept_from_the_queue_are_refused_ones(
    api: Api, replica: Replica, clock: ManualClock
) -> None:
    await replica.create("a", definition(MINUTELY))
    backfill = await start(api)
    await work(replica, clock, 2)
    await replica.schedules.delete(ANN, "a")
    told = await get(api, backfill)
    assert (told.state, told.fired, told.accepted, told.refused) == (CANCELLED, 2, 0, 2)


async def test_specification_in_force_at_the_call_counts(
    api: Api, replica: Replica, clock: ManualClock
) -> None:
    await replica.create("a", definition(MINUTELY))
    backfill = await start(api)
    await replica.schedules.update(ANN, "a", lambda _: definition(CronSpec("@yearly")))
    await work(replica, clock, 6)
    assert (await get(api, backfill)).fired == 5


async def test_backfills_take_no_runs_and_no_part_in_failures(
    api: Api, replica: Replica, clock: ManualClock
) -> None:
    await replica.create("a", definition(CronSpec("@yearly"), max_runs=1))
    await replica.schedules.disable(ANN, "a", "")
    await replica.create("b", definition(MINUTELY))
    backfill = await api.CreateBackfill(
        backfill=pb.Backfill(
            schedule_id="a",
            from_time=stamp(at("00:00")),
            until_time=stamp(at("00:00") + 900 * timedelta(days=1)),
        )
    )
    await work(replica, clock, 4)
    await replica.hand_over()
    assert (await get(api, backfill.backfill)).accepted == 3
    assert (await replica.schedules.get(ANN, "a")).stats.run_count == 0


async def test_repeated_request_starts_one_backfill(api: Api, replica: Replica) -> None:
    await replica.create("a", definition(MINUTELY))
    asked = stretch("00:10", "00:15")
    first = await api.CreateBackfill(backfill=asked, request_id="r")
    assert (await api.CreateBackfill(backfill=asked, request_id="r")) == first
    other = stretch("00:10", "00:16")
    found = await refused(api.CreateBackfill(backfill=other, request_id="r"), EXISTS)
    assert found.reason == "REQUEST_ID_REUSED"


async def test_refusals_name_the_rule(api: Api, replica: Replica) -> None:
    await replica.create("a", definition(CronSpec("* * * * *")))
    await replica.create("e", definition(EventSpec("webhook.received")))
    backwards = await refused(api.CreateBackfill(backfill=stretch("00:10", "00:10")), INVALID)
    assert backwards.violations == {"backfill.until_time": "must lie after from_time"}
    long = pb.Backfill(
        schedule_id="a", from_time=stamp(at("00:00")), until_time=stamp(at("00:00") + timedelta(days=1000))
    )
    assert "1,000,000" in (await refused(api.CreateBackfill(backfill=long), INVALID)).message
    for_event = stretch("00:10", "00:15")
    for_event.schedule_id = "e"
    assert "events" in (await refused(api.CreateBackfill(backfill=for_event), INVALID)).message
    for_event.schedule_id = "nothing"
    assert (await refused(api.CreateBackfill(backfill=for_event), NOT_FOUND)).reason == "SCHEDULE_NOT_FOUND"
    assert (await refused(api.GetBackfill(backfill_id="x"), NOT_FOUND)).reason == "BACKFILL_NOT_FOUND"


async def test_list_pages_latest_first(api: Api, replica: Replica, clock: ManualClock) -> None:
    await replica.create("a", definition(MINUTELY))
    made = []
    for _ in range(3):
        made.append((await start(api)).backfill_id)
        clock.advance(SECOND)
    await api.CancelBackfill(backfill_id=made[0])
    first = await api.ListBackfills(page_size=2)
    assert [each.backfill_id for each in first.backfills] == [made[2], made[1]]
    second = await api.ListBackfills(page_size=2, page_token=first.next_page_token)
    assert [each.backfill_id for each in second.backfills] == [made[0]]
    assert not second.next_page_token
    running = await api.ListBackfills(schedule_id="a", state=RUNNING)
    assert len(running.backfills) == 2


async def test_enabling_with_backfill_fires_what_the_pause_covered(
    api: Api, replica: Replica, clock: ManualClock
) -> None:
    await replica.create("a", definition(MINUTELY))
    clock.set(at("00:10:30"))
    await api.DisableSchedule(schedule_id="a")
    clock.set(at("00:13:30"))
    response = await api.EnableSchedule(schedule_id="a", backfill=True)
    backfill = (await api.GetBackfill(backfill_id=response.backfill_id)).backfill
    assert (backfill.total, backfill.from_time) == (3, stamp(at("00:11")))
    await work(replica, clock, 4)
    fires = await replica.fires("a")
    paused = [fire for fire in fires if fire.disposition is Disposition.PAUSED]
    assert [(fire.nominal, fire.last_nominal) for fire in paused] == [(at("00:11"), at("00:13"))]
    assert [fire.nominal for fire in fires if fire.kind is FireKind.BACKFILL] == [
        at("00:11"), at("00:12"), at("00:13"),
    ]  # fmt: skip
    assert (await api.EnableSchedule(schedule_id="a", backfill=True)).backfill_id == ""
