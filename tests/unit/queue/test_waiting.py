"""Why a task waits, in words."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from queue_service.domain.admission import Use
from queue_service.domain.executor import Executor
from queue_service.domain.holds import Hold
from queue_service.domain.limits import Limits, Need
from queue_service.domain.states import FINAL, State
from queue_service.domain.task import Task, Template
from queue_service.domain.waiting import waiting_reason

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TEMPLATE = Template(queue="default", handler="name:report", need=Need(2000, 1000))
TASK = Task(
    id=1,
    namespace="default",
    task_id="t",
    template=TEMPLATE,
    state=State.WAITING,
    boost=0,
    attempt=1,
    chain=1,
    enqueued_at=NOW,
    order_at=NOW,
    run_at=NOW,
    schedule_id="nightly",
)
AGENT = Executor(
    id=1,
    name="a1",
    pull=False,
    online=True,
    session=1,
    handlers=("report",),
    allows_shell=False,
    allows_http=False,
    labels={},
    cpu_count=4,
    memory_bytes=0,
    version="",
    limits=Limits(),
    own_limits=False,
    use=Use(),
    load=None,
    seen_at=NOW,
)


def reason(
    task: Task = TASK, *executors: Executor, pull: Executor | None = None, hold: Hold | None = None
) -> str:
    return waiting_reason(task, executors, NOW, hold=hold, pull=pull)


@pytest.mark.parametrize("state", sorted({State.OFFERED, State.RUNNING} | FINAL))
def test_what_does_not_wait_has_no_reason(state: State) -> None:
    assert reason(replace(TASK, state=state), AGENT) == ""


def test_a_task_whose_time_has_not_come_names_the_time() -> None:
    later = replace(TASK, state=State.SCHEDULED, run_at=NOW + timedelta(seconds=90))
    assert reason(later) == "its run time is in 1m30s, at 2026-01-01T00:01:30Z"
    assert reason(replace(later, attempt=2)).startswith("its next attempt is in 1m30s")


def test_a_task_behind_another_names_the_schedule() -> None:
    assert "'nightly' is before it" in reason(replace(TASK, ready=False), AGENT)


def test_a_task_for_pull_clients_says_so() -> None:
    pull = replace(TASK, template=replace(TEMPLATE, handler=""))
    assert "pull client" in reason(pull, AGENT)
    full = replace(AGENT, name="operator", use=Use(4, 0, 0))
    assert reason(pull, pull=full) == "operator holds 4 of at most 4 tasks"


@pytest.mark.parametrize(
    ("handler", "words"),
    [("name:other", "'other'"), ("echo hi", "allows shell commands"), ("https://x", "calls HTTP handlers")],
)
def test_a_task_that_nobody_connected_runs_names_what_is_missing(handler: str, words: str) -> None:
    assert words in reason(replace(TASK, template=replace(TEMPLATE, handler=handler)), AGENT)


def test_an_executor_that_is_away_does_not_count() -> None:
    assert "no connected executor" in reason(TASK, replace(AGENT, online=False))


def test_a_task_over_every_limit_is_unschedulable_and_names_the_remedy() -> None:
    small = replace(AGENT, limits=Limits(max_cpu=1000))
    assert reason(TASK, small).startswith("UNSCHEDULABLE")
    assert "UpdateLimits" in reason(TASK, small)


@pytest.mark.parametrize(
    ("use", "words"),
    [
        (Use(4, 0, 0), "a1 holds 4 of at most 4 tasks"),
        (Use(1, 7000, 0), "a1 has 10.0 % of CPU left and it needs 20.0 %"),
        (Use(1, 0, 8400), "a1 has 1.0 % of MEMORY left and it needs 10.0 %"),
    ],
)
def test_a_full_executor_names_the_dimension(use: Use, words: str) -> None:
    assert reason(TASK, replace(AGENT, use=use)) == words


def test_many_full_executors_are_counted_rather_than_listed() -> None:
    full = [replace(AGENT, id=n, name=f"a{n}", use=Use(4, 0, 0)) for n in range(5)]
    assert reason(TASK, *full).endswith("and 2 more executors")


def test_a_task_that_fits_waits_for_its_turn() -> None:
    assert "served first" in reason(TASK, replace(AGENT, use=Use(4, 0, 0)), replace(AGENT, id=2, name="a2"))


@pytest.mark.parametrize(
    ("allow_priority", "note", "words"),
    [
        (0, "", "held by blackout calendar/christmas until 2026-12-27T00:00:00Z"),
        (
            9,
            "",
            "held by blackout calendar/christmas until 2026-12-27T00:00:00Z (priority 9 and above may start)",
        ),
        (10, "", "held by blackout calendar/christmas until 2026-12-27T00:00:00Z (priority 10 may start)"),
        (0, "closed", "held by blackout calendar/christmas until 2026-12-27T00:00:00Z: closed"),
    ],
)
def test_a_task_that_is_held_names_the_blackout_and_its_end(
    allow_priority: int, note: str, words: str
) -> None:
    """Before anything about executors, which would not help."""
    hold = Hold(
        "default",
        "calendar/christmas",
        NOW,
        datetime(2026, 12, 27, tzinfo=UTC),
        allow_priority=allow_priority,
        reason=note,
    )
    assert reason(TASK, hold=hold) == words
    assert reason(replace(TASK, state=State.RUNNING), hold=hold) == ""
