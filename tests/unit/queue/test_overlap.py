"""Overlap: judgements, each policy by itself and any mix of them against a model of the queue."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queue_service.domain.overlap import Enqueue, Fire, Judgement, Overlap, Skip, Standing, judge

SCHEDULE = "default", "s"


def fire(name: str, policy: Overlap, known: bool = False) -> Fire:
    return Fire(name, SCHEDULE, policy, known)


def one(policy: Overlap, standing: Standing) -> Judgement:
    (judgement,) = judge([fire("new", policy)], {SCHEDULE: standing})
    return judgement


@pytest.mark.parametrize("policy", Overlap)
def test_every_policy_goes_ahead_when_nothing_is_in_the_way(policy: Overlap) -> None:
    other = {("default", "other"): Standing("x", "x", ("x",)), ("elsewhere", "s"): Standing("y", "y", ("y",))}
    (judgement,) = judge([fire("new", policy)], other)
    assert isinstance(judgement, Enqueue)
    assert judgement.ready


def test_skip_gives_way_to_the_oldest() -> None:
    assert one(Overlap.SKIP, Standing("a", "b", ("a",))) == Skip("a")


def test_buffer_one_waits_once_and_keeps_the_first_that_waits() -> None:
    assert one(Overlap.BUFFER_ONE, Standing("a")) == Enqueue(ready=False, sequenced=True)
    assert one(Overlap.BUFFER_ONE, Standing("a", "b")) == Skip("b")
    assert judge([fire(name, Overlap.BUFFER_ONE) for name in "abc"], {}) == [
        Enqueue(ready=True, sequenced=True),
        Enqueue(ready=False, sequenced=True),
        Skip("b"),
    ]


def test_buffer_all_waits_however_many_wait_before() -> None:
    assert one(Overlap.BUFFER_ALL, Standing("a", "b")) == Enqueue(ready=False, sequenced=True)


@pytest.mark.parametrize("policy", [Overlap.CANCEL_OTHER, Overlap.TERMINATE_OTHER])
def test_replacing_waits_for_held_tasks_alone(policy: Overlap) -> None:
    waits = Enqueue(ready=False, sequenced=True, replaces=True)
    assert one(policy, Standing("a", "b", ("a",))) == waits
    assert one(policy, Standing("a", "b")) == Enqueue(ready=True, sequenced=True, replaces=True)


def test_of_replacing_fires_that_come_together_the_last_stays() -> None:
    fires = [fire("a", Overlap.ALLOW_ALL), *(fire(name, Overlap.CANCEL_OTHER) for name in "bc")]
    first, second, last = judge(fires, {SCHEDULE: Standing("x", None, ("x",))})
    assert isinstance(first, Enqueue)
    assert isinstance(second, Enqueue)
    assert (first.replaced_by, second.replaced_by) == ("b", "c")
    assert last == Enqueue(ready=False, sequenced=True, replaces=True)


def test_a_fire_that_was_judged_before_stands_in_nobodys_way_and_replaces_nothing() -> None:
    for policy in Overlap:
        fires = [fire("a", Overlap.ALLOW_ALL), fire("b", policy, known=True)]
        assert judge(fires, {}) == [Enqueue(), Enqueue()]
        assert judge(fires[::-1], {}) == [Enqueue(), Enqueue()]


@dataclass
class Model:
    """The queue, spelled out: tasks of one schedule in the order of arrival, and what each waits for."""

    tasks: list[str] = field(default_factory=list)
    behind: dict[str, set[str]] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)

    def is_ready(self, task: str) -> bool:
        return not self.behind[task] & set(self.tasks)

    def standing(self) -> Standing:
        waiting = [task for task in self.tasks if not self.is_ready(task)]
        return Standing(
            self.tasks[0] if self.tasks else None,
            waiting[0] if waiting else None,
            tuple(task for task in self.tasks if task in self.held),
        )

    def take_in(self, name: str, policy: Overlap) -> str | None:
        """What it is kept out by; None when it is in."""
        waiting = [task for task in self.tasks if not self.is_ready(task)]
        if policy is Overlap.SKIP and self.tasks:
            return self.tasks[0]
        if policy is Overlap.BUFFER_ONE and waiting:
            return waiting[0]
        if policy in (Overlap.CANCEL_OTHER, Overlap.TERMINATE_OTHER):
            self.tasks = [task for task in self.tasks if task in self.held]
        self.behind[name] = set() if policy is Overlap.ALLOW_ALL else set(self.tasks)
        self.tasks.append(name)
        return None


STEPS = st.lists(
    st.one_of(
        st.lists(st.sampled_from(Overlap), min_size=1, max_size=4),
        st.tuples(st.sampled_from(["start", "end"]), st.integers(0, 5)),
    ),
    max_size=12,
)


@given(STEPS)
def test_any_mix_of_policies_does_what_the_table_says(steps: list[list[Overlap] | tuple[str, int]]) -> None:
    """Batches of fires come while tasks start and end in between."""
    model, number = Model(), 0
    for step in steps:
        if isinstance(step, tuple):
            ready = [task for task in model.tasks if model.is_ready(task)]
            task = ready[step[1] % len(ready)] if ready else None
            if task is not None and step[0] == "start":
                model.held.add(task)
            elif task is not None:
                model.tasks.remove(task)
            continue
        fires = [fire(str(number + place), policy) for place, policy in enumerate(step)]
        number += len(fires)
        judgements = judge(fires, {SCHEDULE: model.standing()})
        kept_out_by = [model.take_in(each.task_id, each.policy) for each in fires]
        assert [each.by if isinstance(each, Skip) else None for each in judgements] == kept_out_by
        for each, judgement in zip(fires, judgements, strict=True):
            if isinstance(judgement, Skip):
                continue
            assert (judgement.replaced_by is None) == (each.task_id in model.tasks)
            if each.task_id in model.tasks:
                assert judgement.ready == model.is_ready(each.task_id)
        assert len(model.tasks) == len(set(model.tasks))
