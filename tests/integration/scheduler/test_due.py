"""Firing by time on a real PostgreSQL."""

import asyncio
from collections import Counter
from datetime import timedelta

import asyncpg
import pytest

from scheduler_service.app.due import BUSY_WAIT
from scheduler_service.domain.catch_up import CatchUp
from scheduler_service.domain.errors import GenerationChanged, ScheduleNotFound
from scheduler_service.domain.fire import Disposition, FireKind
from scheduler_service.domain.overlap import Overlap
from scheduler_service.domain.spec import CronSpec, IntervalSpec, OneShotSpec
from service_kit.clock import ManualClock
from tests.integration.scheduler.conftest import MakeReplica
from tests.integration.scheduler.replica import ANN, Replica, at, definition

MINUTELY = CronSpec("* * * * *")
LUNAR = '{"specs":[{"kind":"lunar"}],"zone":"UTC"}'
MINUTE = timedelta(minutes=1)


async def test_due_instant_fires_once_and_waits_in_the_outbox(replica: Replica, clock: ManualClock) -> None:
    await replica.create("a", definition(MINUTELY, zone="Asia/Kolkata"))
    assert await replica.due.step() == 60
    clock.advance(timedelta(seconds=59.75))
    assert await replica.due.step() == 0.25
    clock.advance(timedelta(seconds=0.25))
    assert await replica.due.step() == 60
    (fire,) = await replica.fires("a")
    assert (fire.kind, fire.nominal, fire.disposition) == (FireKind.TIME, at("00:01"), Disposition.PENDING)
    assert (fire.local_time, fire.utc_offset) == ("2026-01-01T05:31:00", "+05:30")
    assert fire.generation == 1
    assert await replica.waiting() == 1
    schedule = await replica.schedules.get(ANN, "a")
    assert schedule.next_fire == at("00:02")
    assert schedule.stats.fire_count == 1


async def test_replicas_that_step_at_once_fire_each_instant_once(
    make_replica: MakeReplica, clock: ManualClock
) -> None:
    replicas = [make_replica() for _ in range(4)]
    for number in range(40):
        await replicas[0].create(f"s{number}", definition(IntervalSpec(timedelta(seconds=1 + number % 3))))
    for _ in range(10):
        clock.advance(timedelta(seconds=1))
        await asyncio.gather(*(each.fire_due() for each in replicas for _ in range(2)))
    fires = await replicas[0].rows("SELECT schedule_id, nominal_at FROM scheduler.fires")
    counts = Counter((row["schedule_id"], row["nominal_at"]) for row in fires)
    assert set(counts.values()) == {1}
    assert len(counts) == sum(10 // (1 + number % 3) for number in range(40))
    assert await replicas[0].waiting() == len(fires)
    assert await replicas[0].query("SELECT sum(fire_count) FROM scheduler.schedules") == len(fires)


async def test_batch_ends_when_planning_takes_long(
    replica: Replica, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scheduler_service.app.due.MOST_PLANNING", 0.0)
    await replica.create("a", definition(MINUTELY))
    await replica.create("b", definition(MINUTELY))
    clock.advance(MINUTE)
    assert await replica.due.step() == 0.0
    assert await replica.waiting() == 1
    await replica.due.step()
    assert await replica.waiting() == 2


async def test_schedule_that_another_replica_plans_is_passed_over(
    replica: Replica, clock: ManualClock, scheduler_database_url: str
) -> None:
    """Neither planned a second time nor waited for."""
    await replica.create("a", definition(MINUTELY))
    await replica.create("b", definition(MINUTELY))
    clock.advance(MINUTE)
    other = await asyncpg.connect(scheduler_database_url)
    async with other.transaction():
        await other.execute("SELECT FROM scheduler.schedules WHERE schedule_id = 'a' FOR NO KEY UPDATE")
        wait = await asyncio.wait_for(replica.due.step(), 2)
        assert wait == BUSY_WAIT
        assert (len(await replica.fires("a")), len(await replica.fires("b"))) == (0, 1)
    await other.close()
    await replica.fire_due()
    assert len(await replica.fires("a")) == 1


async def test_replica_that_works_from_an_old_state_adds_nothing(
    replica: Replica, clock: ManualClock
) -> None:
    """As after a restore of `schedules`: the ledger's key holds when the watermark does not."""
    await replica.create("a", definition(MINUTELY))
    clock.advance(MINUTE)
    await replica.fire_due()
    await replica.rows(
        "UPDATE scheduler.schedules SET watermark = $1, next_fire = $2, due_at = $2", at("00:00"), at("00:01")
    )
    await replica.fire_due()
    assert len(await replica.fires("a")) == 1
    assert await replica.waiting() == 1
    assert (await replica.schedules.get(ANN, "a")).stats.fire_count == 1


async def test_ledger_refuses_a_second_fire_of_one_identity(replica: Replica, clock: ManualClock) -> None:
    await replica.create("a", definition(MINUTELY))
    clock.advance(MINUTE)
    await replica.fire_due()
    copied = (
        "INSERT INTO scheduler.fires (namespace, schedule_id, incarnation, generation, kind, key, fire_id,"
        " nominal_at, count, local_time, utc_offset, fired_at, disposition, detail, event, actor)"
        " SELECT namespace, schedule_id, incarnation, generation, kind, key, 'another', nominal_at, count,"
        " local_time, utc_offset, fired_at, disposition, detail, event, actor FROM scheduler.fires"
    )
    with pytest.raises(asyncpg.UniqueViolationError, match="fires_identity"):
        await replica.rows(copied)


async def test_crash_between_the_writes_leaves_nothing_half_done(
    replica: Replica, clock: ManualClock, scheduler_database_url: str
) -> None:
    """Fires, outbox and watermark are one transaction: what cannot be sent moves no watermark."""
    await replica.create("a", definition(MINUTELY))
    owner = await asyncpg.connect(scheduler_database_url)
    await owner.execute("ALTER TABLE scheduler.outbox ADD CONSTRAINT full_disk CHECK (shard < 0)")
    await owner.close()
    clock.advance(MINUTE)
    with pytest.raises(asyncpg.CheckViolationError):
        await replica.due.step()
    assert await replica.fires("a") == []
    assert (await replica.schedules.get(ANN, "a")).next_fire == at("00:01")


async def test_downtime_ends_in_one_fire_and_the_rest_is_told(replica: Replica, clock: ManualClock) -> None:
    await replica.create("a", definition(MINUTELY))
    clock.advance(timedelta(hours=2))
    await replica.fire_due()
    missed, coalesced, fired = await replica.fires("a")
    assert (missed.disposition, missed.nominal, missed.last_nominal, missed.count, missed.fire_id) == (
        Disposition.MISSED_WINDOW, at("00:01"), at("00:59"), 59, "",
    )  # fmt: skip
    assert (coalesced.disposition, coalesced.count) == (Disposition.COALESCED, 60)
    assert "2026-01-01T02:00:00" in coalesced.detail
    assert (fired.disposition, fired.nominal) == (Disposition.PENDING, at("02:00"))
    assert await replica.waiting() == 1


async def test_all_catches_up_oldest_first_over_several_transactions(
    replica: Replica, clock: ManualClock
) -> None:
    every_second = IntervalSpec(timedelta(seconds=1))
    await replica.create("a", definition(every_second, catch_up=CatchUp.ALL, overlap=Overlap.BUFFER_ALL))
    clock.advance(timedelta(seconds=2500))
    steps = 0
    while await replica.due.step() == 0.0 or steps < 2:
        steps += 1
    sent = await replica.rows("SELECT nominal_at FROM scheduler.outbox ORDER BY fire")
    assert [row["nominal_at"] for row in sent] == [
        at("00:00") + timedelta(seconds=second) for second in range(1, 2501)
    ]


async def test_disabled_schedule_fires_nothing_and_its_instants_end_paused(
    replica: Replica, clock: ManualClock
) -> None:
    await replica.create("a", definition(MINUTELY))
    clock.advance(MINUTE)
    disabled = await replica.schedules.disable(ANN, "a", "holiday")
    assert (disabled.enabled, disabled.next_fire, disabled.note) == (False, None, "holiday")
    clock.advance(5 * MINUTE)
    await replica.fire_due()
    assert [fire.nominal for fire in await replica.fires("a")] == [at("00:01")]
    enabled, _ = await replica.schedules.enable(ANN, "a", "back")
    assert (enabled.enabled, enabled.note_actor, enabled.next_fire) == (True, "ann", at("00:07"))
    _, paused = await replica.fires("a")
    assert (paused.disposition, paused.nominal, paused.last_nominal, paused.count) == (
        Disposition.PAUSED, at("00:02"), at("00:06"), 5,
    )  # fmt: skip


async def test_edit_settles_what_was_due_and_never_fires_an_instant_again(
    replica: Replica, clock: ManualClock
) -> None:
    await replica.create("a", definition(MINUTELY))
    clock.advance(2 * MINUTE)
    edited = await replica.schedules.update(ANN, "a", lambda _: definition(CronSpec("*/2 * * * *")))
    assert (edited.generation, edited.next_fire) == (2, at("00:04"))
    await replica.fire_due()
    clock.advance(2 * MINUTE)
    await replica.fire_due()
    fires = await replica.fires("a")
    assert [(fire.nominal, fire.generation, fire.disposition) for fire in fires] == [
        (at("00:01"), 1, Disposition.COALESCED),
        (at("00:02"), 1, Disposition.PENDING),
        (at("00:04"), 2, Disposition.PENDING),
    ]


async def test_one_shot_moved_to_an_instant_that_fired_stays_quiet(
    replica: Replica, clock: ManualClock
) -> None:
    await replica.create("a", definition(MINUTELY))
    clock.advance(MINUTE)
    await replica.fire_due()
    for instant, due in ((at("00:01"), None), (at("00:00:30"), at("00:00:30"))):
        edited = await replica.schedules.update(
            ANN, "a", lambda _, when=instant: definition(OneShotSpec(when))
        )
        assert edited.next_fire == due
    await replica.fire_due()
    assert sorted(fire.nominal for fire in await replica.fires("a")) == [at("00:00:30"), at("00:01")]


async def test_update_of_another_generation_changes_nothing(replica: Replica, clock: ManualClock) -> None:
    await replica.create("a", definition(MINUTELY))
    clock.advance(2 * MINUTE)
    with pytest.raises(GenerationChanged):
        await replica.schedules.update(ANN, "a", lambda _: definition(CronSpec("@daily")), generation=7)
    assert await replica.fires("a") == []
    assert (await replica.schedules.get(ANN, "a")).generation == 1


async def test_recreated_schedule_is_another_incarnation(replica: Replica, clock: ManualClock) -> None:
    first = await replica.create("a", definition(MINUTELY))
    clock.advance(MINUTE)
    await replica.fire_due()
    await replica.schedules.delete(ANN, "a")
    with pytest.raises(ScheduleNotFound):
        await replica.schedules.delete(ANN, "a")
    clock.set(at("00:00"))
    second = await replica.create("a", definition(MINUTELY))
    assert second.incarnation != first.incarnation
    clock.advance(MINUTE)
    await replica.fire_due()
    fires = await replica.fires("a")
    assert [fire.nominal for fire in fires] == [at("00:01"), at("00:01")]
    assert len({fire.fire_id for fire in fires}) == 2


async def test_run_now_works_when_disabled_and_once_for_a_request(
    replica: Replica, clock: ManualClock
) -> None:
    await replica.create("a", definition(MINUTELY), enabled=False)
    first = await replica.schedules.run(ANN, "a", "r1", Overlap.ALLOW_ALL)
    clock.advance(MINUTE)
    assert await replica.schedules.run(ANN, "a", "r1", Overlap.ALLOW_ALL) == first
    other = await replica.schedules.run(ANN, "a", "", Overlap.SKIP)
    assert other.fire_id != first.fire_id
    assert (first.kind, first.actor, first.nominal) == (FireKind.MANUAL, "ann", at("00:00"))
    assert await replica.waiting() == 2
    assert (await replica.schedules.get(ANN, "a")).stats.fire_count == 2


async def test_run_now_at_once_with_one_request_id_makes_one_fire(make_replica: MakeReplica) -> None:
    replicas = [make_replica() for _ in range(3)]
    await replicas[0].create("a", definition(MINUTELY))
    runs = [each.schedules.run(ANN, "a", "r1", Overlap.ALLOW_ALL) for each in replicas for _ in range(4)]
    assert len({fire.fire_id for fire in await asyncio.gather(*runs)}) == 1
    assert await replicas[0].waiting() == 1


async def test_unreadable_schedule_is_reported_and_stops_no_other(
    replica: Replica, clock: ManualClock
) -> None:
    for name in ("a", "b", "c", "d"):
        await replica.create(name, definition(MINUTELY))
    await replica.rows(
        "UPDATE scheduler.schedules SET timing = $1, overlap = 9 WHERE schedule_id = 'b'", LUNAR
    )
    await replica.rows(
        "UPDATE scheduler.schedules SET timing = replace(timing, 'UTC', 'Mars/Base') WHERE schedule_id = 'c'"
    )
    await replica.rows("UPDATE scheduler.schedules SET template = '\\xff' WHERE schedule_id = 'd'")
    clock.advance(MINUTE)
    await replica.fire_due()
    assert len(await replica.fires("a")) == 1
    for name, reason in (("b", "lunar"), ("c", "Mars/Base"), ("d", "template")):
        found = await replica.schedules.get(ANN, name)
        assert reason in found.invalid_reason
        assert found.enabled
        assert await replica.query("SELECT count(*) FROM scheduler.fires WHERE schedule_id = $1", name) == 0
    assert await replica.query("SELECT overlap FROM scheduler.schedules WHERE schedule_id = 'b'") == 9
    assert (await replica.ledger.totals(ANN, None)).overdue == 0
    clock.advance(MINUTE)
    assert (await replica.ledger.totals(ANN, None)).overdue == 3


async def test_schedule_that_can_be_read_again_catches_up(replica: Replica, clock: ManualClock) -> None:
    await replica.create("a", definition(MINUTELY))
    stored = await replica.query("SELECT timing FROM scheduler.schedules")
    await replica.rows("UPDATE scheduler.schedules SET timing = $1", LUNAR)
    clock.advance(MINUTE)
    await replica.fire_due()
    await replica.rows("UPDATE scheduler.schedules SET timing = $1", stored)
    clock.advance(MINUTE)
    await replica.maintenance.step()
    await replica.fire_due()
    assert [fire.nominal for fire in await replica.fires("a")] == [at("00:01"), at("00:02")]
    assert (await replica.schedules.get(ANN, "a")).invalid_reason == ""


async def test_unreadable_schedule_keeps_what_it_has_when_it_is_switched(
    replica: Replica, clock: ManualClock
) -> None:
    await replica.create("a", definition(MINUTELY))
    await replica.rows("UPDATE scheduler.schedules SET timing = $1, overlap = 9", LUNAR)
    await replica.schedules.disable(ANN, "a", "why")
    await replica.schedules.enable(ANN, "a", "again")
    (row,) = await replica.rows("SELECT timing, overlap FROM scheduler.schedules")
    assert tuple(row) == (LUNAR, 9)


async def test_thousand_schedules_of_one_second_take_few_transactions(
    replica: Replica, clock: ManualClock
) -> None:
    for start in range(0, 1000, 50):
        batch = (replica.create(f"s{n}", definition(MINUTELY)) for n in range(start, start + 50))
        await asyncio.gather(*batch)
    clock.advance(MINUTE)
    steps = 1
    while await replica.due.step() == 0.0:
        steps += 1
    assert steps <= 3
    assert await replica.waiting() == 1000


async def test_clock_that_went_back_fires_nothing_again(replica: Replica, clock: ManualClock) -> None:
    await replica.create("a", definition(MINUTELY))
    clock.advance(3 * MINUTE)
    await replica.fire_due()
    fires = await replica.fires("a")
    clock.set(at("00:00"))
    await replica.fire_due()
    clock.set(at("00:03"))
    await replica.fire_due()
    assert await replica.fires("a") == fires


async def test_audit_trail_names_who_did_what(replica: Replica, clock: ManualClock) -> None:
    await replica.create("a", definition(MINUTELY))
    await replica.schedules.disable(ANN, "a", "why")
    await replica.schedules.update(ANN, "a", lambda _: definition(CronSpec("@daily")), detail="specs")
    await replica.schedules.run(ANN, "a", "", Overlap.ALLOW_ALL)
    await replica.schedules.delete(ANN, "a")
    rows = await replica.rows("SELECT action, actor, generation, detail FROM scheduler.actions ORDER BY id")
    assert [(row["action"], row["generation"]) for row in rows] == [
        ("create", 1), ("disable", 2), ("update", 3), ("run", 3), ("delete", 3),
    ]  # fmt: skip
    assert {row["actor"] for row in rows} == {"ann"}
    assert rows[1]["detail"] == "why"
