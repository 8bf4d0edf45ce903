"""Identity of fires."""

import re
from datetime import timedelta
from uuid import UUID

from scheduler_service.domain.fire import FireKey, FireKind, event_key, fire_id, time_key
from tests.support.walker import utc

NOMINAL = utc("2026-01-02T03:04:05")
FIRST, SECOND = UUID(int=1), UUID(int=2)
TASK_ID = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.:@/-]{0,127}$")


def named(schedule_id: str = "nightly", **changes: object) -> str:
    facts = {"incarnation": FIRST, "kind": FireKind.TIME, "key": time_key(NOMINAL), **changes}
    return fire_id(schedule_id, NOMINAL, FireKey(**facts))  # type: ignore[arg-type]


def test_id_is_made_of_the_identity_alone() -> None:
    assert named() == named()
    assert re.fullmatch(r"nightly\.20260102T030405Z\.[a-z2-7]{10}", named())


def test_id_differs_by_incarnation_kind_and_key() -> None:
    others = [named(incarnation=SECOND), named(kind=FireKind.MANUAL), named(key="r1")]
    assert len({named(), *others}) == 4


def test_instants_of_one_second_are_told_apart() -> None:
    later = NOMINAL + timedelta(milliseconds=500)
    assert time_key(later) != time_key(NOMINAL)
    assert named(key=time_key(later)) != named()


def test_longest_schedule_id_still_makes_a_task_id() -> None:
    assert TASK_ID.match(named("x" * 64))
    assert len(named("x" * 200)) == 128


def test_events_of_two_sources_never_share_a_key() -> None:
    assert event_key("a", "b c") != event_key("a/b", "c")
