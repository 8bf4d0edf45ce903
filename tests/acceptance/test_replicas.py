"""Three replicas of the scheduler under load: killed, stopped, restarted, they leave the ledger as it is."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.ledger import (
    check_fires,
    create_schedules,
    disable_schedules,
    fires,
    query,
    wait_for_fires,
)
from tests.support.stack import Service, Stack, eventually

pytestmark = [pytest.mark.alone, pytest.mark.timeout(420)]

SCHEDULES = 200
"""Each fires every second."""

SHARES = """
SELECT count(*) FILTER (WHERE mode = 'ExclusiveLock')
FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND application_name = 'batonpass-scheduler-locks'
GROUP BY pid
"""
"""What each replica holds: parts of the outbox, and one of them the feed of outcomes."""


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with Stack(tmp_path, replicas=3, queues=1) as stack:
        stack.start()
        yield stack


def shares(stack: Stack) -> list[int]:
    return sorted(row[0] for row in query(stack, SHARES))


def share_fairly(stack: Stack) -> bool:
    held = shares(stack)
    return len(held) == 3 and sum(held) == 17 and min(held) >= 4


def stop_until(stack: Stack, replica: Service, seconds: float) -> None:
    """SIGSTOP until the others have taken over, `seconds` at least; then it goes on where it stood."""
    replica.signal(signal.SIGSTOP)
    taken_over = fires(stack) + int(SCHEDULES * seconds)
    eventually(lambda: len(shares(stack)) == 2 and sum(shares(stack)) == 17, "the others took over", 60)
    wait_for_fires(stack, taken_over)
    replica.signal(signal.SIGCONT)


def kill(replica: Service) -> None:
    replica.kill()
    replica.start()


def restart(replica: Service) -> None:
    replica.stop()
    replica.start()


def test_replica_that_is_killed_stopped_or_restarted_changes_nothing_in_the_ledger(stack: Stack) -> None:
    first, second, third = stack.schedulers
    create_schedules(stack, SCHEDULES)
    eventually(lambda: share_fairly(stack), "three replicas share the outbox", 30)
    wait_for_fires(stack, 2 * SCHEDULES)

    kill(first)
    eventually(lambda: share_fairly(stack), "the killed one is back", 30)
    stop_until(stack, second, seconds=5)
    restart(third)
    eventually(lambda: share_fairly(stack), "all are back", 30)
    wait_for_fires(stack, fires(stack) + 2 * SCHEDULES)

    disable_schedules(stack, SCHEDULES)
    check_fires(stack, SCHEDULES)


@pytest.mark.full
def test_each_replica_in_turn_is_stopped_for_20_seconds_killed_and_restarted(stack: Stack) -> None:
    create_schedules(stack, SCHEDULES)
    eventually(lambda: share_fairly(stack), "three replicas share the outbox", 30)
    for replica in stack.schedulers:
        stop_until(stack, replica, seconds=20)
        kill(replica)
        eventually(lambda: share_fairly(stack), "the killed one is back", 60)
        restart(replica)
        eventually(lambda: share_fairly(stack), "the restarted one is back", 60)
        wait_for_fires(stack, fires(stack) + 2 * SCHEDULES)
    disable_schedules(stack, SCHEDULES)
    check_fires(stack, SCHEDULES)
