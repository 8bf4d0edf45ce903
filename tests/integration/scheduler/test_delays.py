"""Jitter, spread and the policies of catching up: due later than the instant, told as the instant."""

from datetime import timedelta

from scheduler_service.domain.catch_up import CatchUp
from scheduler_service.domain.fire import Disposition
from scheduler_service.domain.overlap import Overlap
from scheduler_service.domain.spec import CronSpec, SecondsField
from service_kit.clock import ManualClock
from tests.integration.scheduler.calls import Api, cron, schedule, stamp
from tests.integration.scheduler.replica import ANN, Replica, at, definition

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
HOURLY = CronSpec("0 * * * *")


async def test_schedule_with_jitter_fires_later_under_its_own_instant(
    replica: Replica, clock: ManualClock
) -> None:
    created = await replica.create("a", definition(HOURLY, jitter=HOUR / 2))
    assert created.next_fire == at("01:00")
    assert created.due_at is not None
    assert at("01:00") < created.due_at < at("01:30")
    clock.set(created.due_at - timedelta(microseconds=1))
    await replica.fire_due()
    assert await replica.fires("a") == []
    assert (await replica.ledger.totals(ANN, None)).overdue == 0
    clock.set(created.due_at)
    await replica.fire_due()
    (fire,) = await replica.fires("a")
    assert (fire.nominal, fire.fired_at) == (at("01:00"), created.due_at)
    following = await replica.schedules.get(ANN, "a")
    assert following.next_fire == at("02:00")
    assert following.due_at is not None
    assert at("02:00") <= following.due_at < at("02:30")


async def test_disabled_before_its_delay_is_over_the_instant_is_paused(
    replica: Replica, clock: ManualClock
) -> None:
    created = await replica.create("a", definition(HOURLY, spread=HOUR / 2))
    assert created.due_at is not None
    clock.set(at("01:00") + (created.due_at - at("01:00")) / 2)
    await replica.schedules.disable(ANN, "a", "")
    clock.set(at("01:59"))
    await replica.schedules.enable(ANN, "a", "")
    (paused,) = await replica.fires("a")
    assert (paused.nominal, paused.disposition) == (at("01:00"), Disposition.PAUSED)


async def test_edited_before_its_delay_is_over_the_instant_fires_at_once(
    replica: Replica, clock: ManualClock
) -> None:
    """The new definition does not know the instant; it ends in a fire all the same."""
    created = await replica.create("a", definition(HOURLY, spread=HOUR / 2))
    assert created.due_at is not None
    clock.set(at("01:00") + (created.due_at - at("01:00")) / 2)
    await replica.schedules.update(ANN, "a", lambda _: definition(CronSpec("30 2 * * *")))
    (fire,) = await replica.fires("a")
    assert (fire.nominal, fire.disposition) == (at("01:00"), Disposition.PENDING)


async def test_preview_tells_when_each_instant_is_handed_over(api: Api, replica: Replica) -> None:
    made = schedule("a", cron("0 * * * *"))
    made.jitter.FromSeconds(600)
    created = (await api.CreateSchedule(schedule=made)).schedule
    stored = await replica.schedules.get(ANN, "a")
    assert created.next_fire_time == stamp("2026-01-01T01:00:00Z")
    by_id = (await api.PreviewSchedule(schedule_id="a", count=5)).fires
    by_draft = (await api.PreviewSchedule(draft=made, count=5)).fires
    assert by_id == by_draft
    assert by_id[0].time == created.next_fire_time
    assert by_id[0].due_time.ToDatetime(stored.created_at.tzinfo) == stored.due_at
    assert len({fire.due_time.ToMilliseconds() - fire.time.ToMilliseconds() for fire in by_id}) == 5


async def test_earliest_fires_the_first_of_a_downtime(replica: Replica, clock: ManualClock) -> None:
    await replica.create("a", definition(HOURLY, catch_up=CatchUp.EARLIEST, window=4 * HOUR))
    clock.set(at("06:30"))
    await replica.fire_due()
    missed, fired, coalesced = await replica.fires("a")
    assert (missed.disposition, missed.nominal, missed.count) == (
        Disposition.MISSED_WINDOW, at("01:00"), 2,
    )  # fmt: skip
    assert (fired.disposition, fired.nominal) == (Disposition.PENDING, at("03:00"))
    assert (coalesced.disposition, coalesced.nominal, coalesced.last_nominal) == (
        Disposition.COALESCED, at("04:00"), at("06:00"),
    )  # fmt: skip
    assert "2026-01-01T03:00:00" in coalesced.detail


async def test_none_fires_what_is_at_most_ten_seconds_old(replica: Replica, clock: ManualClock) -> None:
    made = definition(
        CronSpec("*/5 * * * * *", SecondsField.FIRST), catch_up=CatchUp.NONE, overlap=Overlap.SKIP
    )
    await replica.create("a", made)
    clock.set(at("00:10:01"))
    await replica.fire_due()
    missed, *fired = await replica.fires("a")
    assert (missed.disposition, missed.nominal, missed.last_nominal) == (
        Disposition.MISSED_WINDOW, at("00:00:05"), at("00:09:50"),
    )  # fmt: skip
    assert missed.detail == "more than 10s late, and nothing is caught up"
    assert [fire.nominal for fire in fired] == [at("00:09:55"), at("00:10:00")]
