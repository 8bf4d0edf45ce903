"""Shell commands through the whole agent: the guardian's own rules are tested with it."""

import asyncio
import os
import signal

import psutil
import pytest
from batonpass.queue.v1.task_pb2 import AttemptResult, FailureCategory

from tests.support.fake_dispatch import FakeDispatch, Terms
from tests.unit.agent.conftest import Marked, until

SUCCEEDED = AttemptResult.ATTEMPT_RESULT_SUCCEEDED
FAILED = AttemptResult.ATTEMPT_RESULT_FAILED
CANCELLED = AttemptResult.ATTEMPT_RESULT_CANCELLED


@pytest.fixture
def marked():
    made = Marked()
    yield made
    made.clean()


async def run(fake, start, command, **task):
    start(allow_shell=True)
    session = await fake.session()
    assert session.hello.allows_shell
    offer = fake.task(command, **task)
    session.offer(offer)
    return await session.result(offer)


async def test_a_command_reports_what_it_used(fake, start):
    command = "python3 -c 'x = bytearray(60_000_000); n = sum(range(3_000_000))'; echo done; echo oops >&2"
    result = await run(fake, start, command)
    report = result.report
    assert (result.result, report.exit_code, report.output_tail) == (SUCCEEDED, 0, "done\noops\n")
    assert 60_000_000 < report.peak_memory_bytes < 200_000_000
    total = psutil.virtual_memory().total
    assert abs(report.memory_percent - 100 * report.peak_memory_bytes / total) < 0.01
    assert 0 < report.cpu_percent <= 100
    assert report.duration.ToTimedelta().total_seconds() > 0.01


async def test_a_command_finds_its_task_in_the_environment_and_the_payload_at_stdin(fake, start):
    result = await run(
        fake, start, "env | grep ^BATONPASS_ | sort; cat", payload=b"in", attempt=2, schedule_id="nightly"
    )
    lines = result.report.output_tail.split("\n")
    for line in (
        "BATONPASS_ATTEMPT=2",
        "BATONPASS_CHAIN=1",
        "BATONPASS_LEASE_TOKEN=101",
        "BATONPASS_NOMINAL_TIME=",
        "BATONPASS_SCHEDULE_ID=nightly",
        "BATONPASS_TASK_ID=t1",
        "in",
    ):
        assert line in lines


async def test_a_failed_command_says_how(fake, start):
    result = await run(fake, start, "echo no; exit 3")
    assert (result.result, result.category) == (FAILED, FailureCategory.FAILURE_CATEGORY_EXIT)
    assert (result.report.exit_code, result.report.error) == (3, "exit code 3")
    assert result.report.output_tail == "no\n"


async def test_a_command_ended_by_a_signal_says_which(fake, start):
    result = await run(fake, start, "kill -SEGV $$")
    assert (result.result, result.category) == (FAILED, FailureCategory.FAILURE_CATEGORY_SIGNAL)
    assert (result.report.exit_code, result.report.error) == (-signal.SIGSEGV, "ended by SIGSEGV")


async def test_a_command_beyond_its_timeout_is_ended(fake, start):
    result = await run(fake, start, "sleep 100", timeout=0.3)
    assert (result.result, result.category) == (FAILED, FailureCategory.FAILURE_CATEGORY_TIMEOUT)
    assert result.report.exit_code == -signal.SIGTERM
    assert result.report.error == "ran longer than its timeout of 0.3 s (ended by SIGTERM)"


async def test_a_cancelled_command_may_clean_up(fake, start):
    start(allow_shell=True)
    session = await fake.session()
    offer = fake.task("trap 'echo bye; exit 0' TERM; sleep 100 & wait")
    session.offer(offer)
    await session.accept(offer)
    session.cancel(offer, grace=30)
    result = await session.result(offer)
    assert result.result == CANCELLED
    assert result.report.output_tail in ("bye\n", "")


async def test_output_that_is_no_text_is_reported_as_text(fake, start):
    result = await run(fake, start, r"printf 'a\000\377b'")
    assert result.report.output_tail == "a\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}b"


async def test_commands_end_with_the_lease(start, tmp_path):
    async with FakeDispatch(Terms(heartbeat=0.2, ttl=1.2)) as fake:
        start(allow_shell=True, queue=fake.target)
        first = await fake.session()
        offer = fake.task(f"trap 'touch {tmp_path}/end; exit' TERM; sleep 100 & wait")
        first.offer(offer)
        await first.accept(offer)
        fake.acknowledges_beats = fake.welcomes = False
        silent = await fake.session(2)
        assert silent.held == [(1, 101)]
        await asyncio.to_thread(until, (tmp_path / "end").exists, "the end of the command")
        fake.acknowledges_beats = fake.welcomes = True
        silent.end()
        third = await fake.session(3)
        assert third.held == []
        assert third.results == {}


@pytest.mark.parametrize("killer", ["kill -9 $PPID; sleep 100", "sleep 100"])
async def test_a_killed_guardian_is_replaced_and_its_work_is_lost_not_failed(fake, start, marked, killer):
    """Nothing of it is left when the queue is told, which is by a Hello that does not name it."""
    before = set(psutil.Process().children())
    start(allow_shell=True)
    first = await fake.session()
    innocent, poison = fake.task(f"setsid {marked.sleep} & {marked.sleep}"), fake.task(killer)
    first.offer(innocent)
    await first.accept(innocent)
    await asyncio.to_thread(marked.appear, 2)
    first.offer(poison)
    if killer == "sleep 100":
        await first.accept(poison)
        (guardian,) = set(psutil.Process().children()) - before
        os.kill(guardian.pid, signal.SIGKILL)
    second = await fake.session(2)
    assert second.held == []
    assert marked.alive() == []
    assert first.results == second.results == {}
    again = fake.task("echo hello")
    second.offer(again)
    assert (await second.result(again)).report.output_tail == "hello\n"


async def test_many_commands_at_once(fake, start):
    start(allow_shell=True)
    session = await fake.session()
    offers = [fake.task(f"echo {number}") for number in range(60)]
    session.offer(*offers)
    for number, offer in enumerate(offers):
        assert (await session.result(offer)).report.output_tail == f"{number}\n"
