"""Processes are killed with -9 while fires flow; afterwards the books must balance."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.ledger import check_books, create_schedules, disable_schedules, wait_for_fires
from tests.support.stack import Daemon, Stack

pytestmark = [pytest.mark.alone, pytest.mark.timeout(420)]


@pytest.fixture
def replicas() -> int:
    """Replicas of each service; a test may set another number."""
    return 1


@pytest.fixture
def stack(tmp_path: Path, replicas: int) -> Iterator[Stack]:
    with Stack(tmp_path, replicas=replicas) as stack:
        stack.start()
        yield stack


def start_agent(stack: Stack, name: str = "runner") -> Daemon:
    return stack.start_agent(name, "--handlers", "tests.support.handlers:worker")


def test_every_instant_is_fired_once_and_every_task_ends_once_through_kill_minus_9_of_each_process(
    stack: Stack,
) -> None:
    schedules, total = 50, 2_000
    agent = start_agent(stack)
    create_schedules(stack, schedules)

    def crash_scheduler() -> None:
        stack.scheduler.kill()
        stack.scheduler.start()

    def crash_queue() -> None:
        stack.queue.kill()
        stack.queue.start()

    def crash_agent() -> None:
        agent.kill()
        start_agent(stack)

    crashes = (crash_scheduler, crash_queue, crash_agent, stack.crash_postgres)
    for number, crash in enumerate(crashes, start=1):
        wait_for_fires(stack, number * total // (len(crashes) + 1))
        crash()
        stack.wait_serving()
    wait_for_fires(stack, total)
    disable_schedules(stack, schedules)
    check_books(stack, schedules)


@pytest.mark.parametrize("replicas", [2])
def test_the_other_replica_carries_on_alone_when_one_of_each_service_is_killed(stack: Stack) -> None:
    schedules = 20
    for name in ("first", "second"):
        start_agent(stack, name)
    create_schedules(stack, schedules)
    wait_for_fires(stack, 100)

    stack.schedulers[0].kill()
    wait_for_fires(stack, 200)
    stack.queues[0].kill()
    wait_for_fires(stack, 400)

    disable_schedules(stack, schedules)
    check_books(stack, schedules)
