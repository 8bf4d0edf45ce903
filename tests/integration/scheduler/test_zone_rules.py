"""A new release of the time zone database: stored next fires follow it at once, and what moved is told."""

import asyncio
from collections.abc import Mapping

import pytest

from scheduler_service.app.zone_rules import ZoneRules
from scheduler_service.domain.spec import CronSpec, EventSpec
from scheduler_service.domain.zone_rules import rules_in_use
from service_kit.caller import Caller
from service_kit.clock import ManualClock
from tests.integration.scheduler.calls import Api
from tests.integration.scheduler.conftest import MakeReplica
from tests.integration.scheduler.replica import ANN, Replica, at, definition

NOON = CronSpec("0 12 * * *")
RULES = rules_in_use()
BEFORE = RULES | {"Europe/Berlin": RULES["Africa/Nairobi"], "Europe/Oslo": RULES["Europe/Berlin"]}
"""As if Berlin had stood three hours ahead of UTC until now."""


def upgrade(replica: Replica, rules: Mapping[str, bytes], release: str) -> ZoneRules:
    return ZoneRules(
        replica.database, replica.clock, replica.signals, replica.metrics, lambda: rules, lambda: release
    )


async def old_release(replica: Replica) -> None:
    """Schedules stored under the rules before."""
    await upgrade(replica, BEFORE, "2025z").step()
    for name, zone in (("berlin", "Europe/Berlin"), ("oslo", "Europe/Oslo"), ("rome", "Europe/Rome")):
        await replica.create(name, definition(NOON, zone=zone))
    await replica.create("off", definition(NOON, zone="Europe/Berlin"), enabled=False)
    await replica.create("event", definition(EventSpec("x"), zone="Europe/Berlin"))
    await replica.rows(
        "UPDATE scheduler.schedules SET next_fire = $1, due_at = $1 WHERE schedule_id = 'berlin'", at("09:00")
    )


async def test_new_release_recomputes_what_it_moves_and_reports_it(api: Api, replica: Replica) -> None:
    await old_release(replica)
    assert (await api.ListMovedSchedules()).schedules == []
    await upgrade(replica, RULES, "2026a").step()
    assert (await replica.schedules.get(ANN, "berlin")).next_fire == at("11:00")
    (moved,) = (await api.ListMovedSchedules()).schedules
    assert (moved.schedule_id, moved.time_zone, moved.release) == ("berlin", "Europe/Berlin", "2026a")
    assert len(moved.old_times) == len(moved.new_times) == 10
    assert (moved.old_times[0].ToDatetime(at("00:00").tzinfo), moved.new_times[0].ToJsonString()) == (
        at("09:00"),
        "2026-01-01T11:00:00Z",
    )
    assert replica.registry.get_sample_value("batonpass_schedules_moved_total") == 1
    assert (await api.ListMovedSchedules(namespace="other")).schedules == []
    releases = await replica.rows("SELECT release, moved FROM scheduler.zone_releases ORDER BY id")
    assert [tuple(row) for row in releases] == [("2025z", 0), ("2026a", 1)]


async def test_first_start_and_every_start_after_it_move_nothing(replica: Replica) -> None:
    await replica.create("berlin", definition(NOON, zone="Europe/Berlin"))
    for _ in range(2):
        await upgrade(replica, RULES, "2026a").step()
    assert await replica.query("SELECT count(*) FROM scheduler.zone_releases") == 1
    assert await replica.query("SELECT count(*) FROM scheduler.moved_schedules") == 0
    await replica.zone_rules.step()


async def test_replicas_that_start_at_once_apply_a_release_once(make_replica: MakeReplica) -> None:
    replicas = [make_replica() for _ in range(3)]
    await old_release(replicas[0])
    await asyncio.gather(*(upgrade(each, RULES, "2026a").step() for each in replicas))
    assert await replicas[0].query("SELECT count(*) FROM scheduler.moved_schedules") == 1


async def test_older_replica_that_starts_later_takes_nothing_back(replica: Replica) -> None:
    await old_release(replica)
    await upgrade(replica, RULES, "2026a").step()
    await upgrade(replica, BEFORE, "2025z").step()
    assert (await replica.schedules.get(ANN, "berlin")).next_fire == at("11:00")
    assert await replica.query("SELECT release FROM scheduler.zone_releases ORDER BY id DESC") == "2026a"
    stored = await replica.query("SELECT rules FROM scheduler.zone_rules WHERE name = 'Europe/Berlin'")
    assert stored == RULES["Europe/Berlin"]


async def test_all_of_it_is_one_transaction(replica: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than a page, and a crash before the end: nothing has moved then."""
    monkeypatch.setattr("scheduler_service.app.zone_rules.PAGE", 2)
    await old_release(replica)
    for number in range(5):
        await replica.create(f"c{number}", definition(NOON, zone="Europe/Berlin"), caller=Caller("z", "ann"))
    await replica.rows(
        "UPDATE scheduler.schedules SET next_fire = $1, due_at = $1 WHERE namespace = 'z'", at("09:00")
    )

    async def fail(*_: object) -> None:
        raise ValueError("killed before the end")

    with monkeypatch.context() as patch:
        patch.setattr("scheduler_service.store.zone_rules.save", fail)
        with pytest.raises(ValueError, match="killed"):
            await upgrade(replica, RULES, "2026a").step()
    assert (await replica.schedules.get(ANN, "berlin")).next_fire == at("09:00")
    assert await replica.query("SELECT count(*) FROM scheduler.moved_schedules") == 0
    await upgrade(replica, RULES, "2026a").step()
    assert await replica.query("SELECT count(*) FROM scheduler.moved_schedules") == 6


async def test_fire_under_either_rules_is_single(replica: Replica, clock: ManualClock) -> None:
    """An instant that an older replica fired is not fired again by a newer one, nor the other way round."""
    await old_release(replica)
    clock.set(at("09:00"))
    await replica.fire_due()
    assert await replica.fires("berlin") == []
    await upgrade(replica, RULES, "2026a").step()
    clock.set(at("11:00"))
    await replica.fire_due()
    assert [fire.nominal for fire in await replica.fires("berlin")] == [at("11:00")]
