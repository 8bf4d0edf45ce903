"""Holds: what they select, when they are in force, and that nothing starts inside them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queue_service.domain.admission import Use
from queue_service.domain.handler import Lane, check_selector, lane_of
from queue_service.domain.holds import Hold, in_force
from queue_service.domain.limits import Limits
from queue_service.domain.order import Candidate
from queue_service.domain.selection import Room, choose

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
LANE = lane_of("default", "batch", "name:report", 0, 0)


def hold(**changes: object) -> Hold:
    fields: dict[str, object] = {"from_at": NOW, "until_at": NOW + HOUR, **changes}
    return Hold("default", "calendar/c", **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "keeps"),
    [
        ({}, True),
        ({"queue": "batch"}, True),
        ({"queue": "other"}, False),
        ({"handler": "name:report"}, True),
        ({"handler": "name:report2"}, False),
        ({"handler": "shell"}, False),
        ({"queue": "batch", "handler": "http"}, False),
        ({"allow_priority": 6}, True),
        ({"allow_priority": 5}, False),
    ],
)
def test_a_hold_selects_by_queue_handler_and_priority(changes: dict[str, object], keeps: bool) -> None:
    assert hold(**changes).keeps(LANE, 5) == keeps
    assert not hold(**changes).keeps(Lane("other", "name:report", 0, "batch"), 5)


def test_it_is_in_force_from_its_first_instant_to_before_its_last() -> None:
    moments = [NOW - HOUR / 2, NOW, NOW + HOUR - timedelta(microseconds=1), NOW + HOUR]
    found = [in_force([hold()], at) for at in moments]
    assert [each.count for each in found] == [0, 1, 1, 0]
    assert [each.until for each in found] == [NOW, NOW + HOUR, NOW + HOUR, None]


def test_of_several_the_one_that_lasts_longest_is_named() -> None:
    longer = hold(until_at=NOW + 2 * HOUR, queue="batch")
    assert in_force([hold(), longer], NOW).holding(str(LANE), 5) == longer
    assert in_force([hold(), longer], NOW).holding("default/shell/0/other", 5) == hold()


@pytest.mark.parametrize("text", ["", "shell", "http", "name:report", "name:a/b"])
def test_tasks_are_selected_by_kinds_of_handlers(text: str) -> None:
    check_selector(text)


@pytest.mark.parametrize("text", ["report", "name:", "https://x", "echo hi", "name:a\0", " "])
def test_other_selectors_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        check_selector(text)


MINUTES = st.integers(0, 60)
HOLDS = st.lists(
    st.builds(
        lambda start, length, queue, handler, allow: hold(
            from_at=NOW + timedelta(minutes=start),
            until_at=NOW + timedelta(minutes=start + length),
            queue=queue,
            handler=handler,
            allow_priority=allow,
        ),
        MINUTES,
        st.integers(1, 30),
        st.sampled_from(["", "batch", "other"]),
        st.sampled_from(["", "name:a", "shell"]),
        st.integers(0, 10),
    ),
    max_size=6,
)
TASKS = st.lists(
    st.tuples(
        st.sampled_from(["batch", "other"]), st.sampled_from(["name:a", "shell"]), st.integers(1, 12), MINUTES
    ),
    max_size=15,
)


@given(HOLDS, TASKS)
def test_in_any_minute_just_what_is_not_held_starts_in_its_order(
    holds: list[Hold], tasks: list[tuple[str, str, int, int]]
) -> None:
    """Minute by minute, with room for everything: each task starts in the first minute it is free."""
    waiting = {
        number: Candidate(
            NOW + timedelta(minutes=at), number, 1, str(lane_of("default", queue, key, 0, 0)), level, 0, 0
        )
        for number, (queue, key, level, at) in enumerate(tasks)
    }
    room = Room(1, {"name:a", "shell"}, Limits(max_tasks=1_000), Use(), credit=1_000)
    for minute in range(100):
        now = NOW + timedelta(minutes=minute)
        held = in_force(holds, now)
        lists: dict[tuple[str, int], list[Candidate]] = {}
        for each in waiting.values():
            if each.order_at <= now:
                lists.setdefault((each.lane, each.level), []).append(each)
        open_lists = [sorted(each) for key, each in lists.items() if held.holding(*key) is None]
        started = {each.candidate.task for each in choose(open_lists, [room], timedelta(minutes=30), 1_000)}
        for number, each in list(waiting.items()):
            kept = [
                one
                for one in holds
                if one.from_at <= now < one.until_at
                and one.queue in ("", tasks[number][0])
                and one.handler in ("", tasks[number][1])
                and (one.allow_priority == 0 or each.level < one.allow_priority)
            ]
            assert (number in started) == (each.order_at <= now and not kept)
        for number in started:
            del waiting[number]
    assert not waiting
