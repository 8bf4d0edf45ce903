"""Selection: order, limits and credit kept, nobody held back by what does not fit."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from queue_service.domain.admission import Admit, Use, fits
from queue_service.domain.handler import lane_of
from queue_service.domain.limits import Limits, Need
from queue_service.domain.order import Candidate, urgency
from queue_service.domain.selection import Room, choose

NOW = datetime(2026, 1, 1, tzinfo=UTC)
THRESHOLD = timedelta(minutes=30)
ROOMY = Limits(1000, 10_000, 10_000)


def waiting(task: int, *, key: str = "name:x", cpu: int = 0, memory: int = 0, level: int = 5) -> Candidate:
    lane = str(lane_of("default", "default", key, cpu, memory))
    return Candidate(NOW + timedelta(milliseconds=task), task, 1, lane, level, cpu, memory)


def room(
    executor: int = 1,
    *,
    keys: tuple[str, ...] = ("name:x",),
    limits: Limits = ROOMY,
    use: Use | None = None,
    credit: int = 1000,
) -> Room:
    return Room(executor, frozenset(keys), limits, use or Use(), credit)


def lists(*candidates: Candidate) -> list[list[Candidate]]:
    by_list: dict[tuple[str, int], list[Candidate]] = {}
    for each in sorted(candidates):
        by_list.setdefault((each.lane, each.level), []).append(each)
    return list(by_list.values())


def chosen(tasks: list[list[Candidate]], *rooms: Room, limit: int = 1000) -> list[tuple[int, int]]:
    return [(each.candidate.task, each.executor) for each in choose(tasks, rooms, THRESHOLD, limit)]


def test_most_urgent_first_within_slots() -> None:
    """Four slots, the default: the four most urgent go, the rest waits."""
    tasks = lists(*(waiting(n, level=1 + n % 3) for n in range(9)))
    assert chosen(tasks, room(limits=Limits())) == [(2, 1), (5, 1), (8, 1), (1, 1)]


def test_use_counts() -> None:
    """What is leased already takes its part of slots, CPU and memory."""
    tasks = lists(waiting(1, cpu=3000), waiting(2, cpu=2000))
    assert chosen(tasks, room(limits=Limits(), use=Use(1, 6000, 0))) == [(2, 1)]
    assert chosen(tasks, room(limits=Limits(), use=Use(4, 0, 0))) == []


def test_equal_to_the_limit_fits_and_more_does_not() -> None:
    """80 % beside nothing fits a limit of 80 %; one hundredth more does not."""
    assert chosen(lists(waiting(1, cpu=8000)), room(limits=Limits())) == [(1, 1)]
    assert chosen(lists(waiting(1, cpu=8001)), room(limits=Limits())) == []
    assert chosen(lists(waiting(1, memory=8501)), room(limits=Limits())) == []


def test_what_does_not_fit_holds_back_nobody() -> None:
    """A large task at the head of everything leaves room to the small ones behind it, of its lane too."""
    tasks = lists(waiting(1, cpu=4200, level=10), waiting(2, cpu=4100, level=5), waiting(3, cpu=10, level=1))
    assert chosen(tasks, room(limits=Limits(max_cpu=4150))) == [(2, 1), (3, 1)]


def test_handlers_decide_who_may() -> None:
    """A task goes only where its handler runs; one that nobody runs hides nothing."""
    tasks = lists(waiting(1, key="name:nobody"), waiting(2, key="shell"), waiting(3, key="http"))
    rooms = room(1, keys=("shell",)), room(2, keys=("http", "name:x"))
    assert chosen(tasks, *rooms) == [(2, 1), (3, 2)]


def test_credit_is_never_exceeded() -> None:
    """An executor with free slots but no credit left gets nothing more."""
    tasks = lists(*(waiting(n) for n in range(5)))
    assert chosen(tasks, room(credit=2)) == [(0, 1), (1, 1)]
    assert chosen(tasks, room(credit=0)) == []


def test_best_fit_on_the_dominant_resource() -> None:
    """A large task goes where it fills best, so that the emptier host stays free for a larger one."""
    rooms = room(1), room(2, use=Use(1, 5000, 0))
    assert chosen(lists(waiting(1, cpu=4000)), *rooms) == [(1, 2)]


def test_undeclared_tasks_spread() -> None:
    """Tasks that declare nothing go where most slots are free."""
    rooms = room(1, limits=Limits(3)), room(2, limits=Limits(5))
    assert [executor for _, executor in chosen(lists(*(waiting(n) for n in range(8))), *rooms)].count(1) == 3
    assert chosen(lists(waiting(1)), *rooms) == [(1, 2)]


def test_limit_ends_the_choice() -> None:
    """No more than asked for, and nothing for zero."""
    tasks = lists(*(waiting(n) for n in range(5)))
    assert len(chosen(tasks, room(), limit=3)) == 3
    assert chosen(tasks, room(), limit=0) == []


sizes = st.sampled_from([0, 1, 900, 2500, 4000, 8000])


@given(
    tasks=st.lists(
        st.tuples(sizes, sizes, st.integers(1, 10), st.sampled_from(["name:x", "shell"])), max_size=30
    ),
    rooms=st.lists(st.tuples(st.integers(0, 5), sizes, sizes, st.integers(0, 6)), max_size=4),
)
def test_choice_is_within_limits_and_greedy(
    tasks: list[tuple[int, int, int, str]], rooms: list[tuple[int, int, int, int]]
) -> None:
    """Never above a limit or a credit; and what was passed over fits nowhere even in the end."""
    every = [waiting(n, key=k, cpu=c, memory=m, level=v) for n, (c, m, v, k) in enumerate(tasks)]
    floor = [
        room(
            n,
            keys=("name:x",) if n % 2 else ("name:x", "shell"),
            limits=Limits(slots, cpu, memory),
            credit=credit,
        )
        for n, (slots, cpu, memory, credit) in enumerate(rooms)
    ]
    placements = choose(lists(*every), floor, THRESHOLD, 1000)
    use = {each.executor: Use() for each in floor}
    by_id = {each.executor: each for each in floor}
    for each in placements:
        need = Need(each.candidate.cpu, each.candidate.memory)
        assert fits(use[each.executor], by_id[each.executor].limits, need) == Admit()
        use[each.executor] = use[each.executor].plus(need)
    assert all(use[each.executor].tasks <= each.credit for each in floor)
    keys = [urgency(each.candidate, THRESHOLD) for each in placements]
    assert keys == sorted(keys)
    left = {each.task for each in every} - {each.candidate.task for each in placements}
    for each in every:
        if each.task in left:
            able = [
                r
                for r in floor
                if each.lane.split("/")[1] in r.handler_keys and use[r.executor].tasks < r.credit
            ]
            assert not any(
                fits(use[r.executor], r.limits, Need(each.cpu, each.memory)) == Admit() for r in able
            )
