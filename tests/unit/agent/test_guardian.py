"""The guardian with real processes: what it runs, measures and ends."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import psutil
import pytest
from batonpass.agent.guardian.start import start_guardian
from batonpass.agent.guardian.tail import LIMIT

from tests.unit.agent.conftest import DEADLINE, until

IGNORE = "trap '' TERM; "
DOUBLE_FORK = "setsid sh -c '({sleep} &) ; exit 0'"


def test_exit_codes_and_output_are_reported(guarded):
    ended, output = guarded.run("echo out; echo err >&2; exit 3")
    assert (ended.exit_code, ended.stopped, ended.error) == (3, "", "")
    assert output == b"out\nerr\n"


def test_a_signal_is_a_negative_exit_code(guarded):
    ended, _ = guarded.run("kill -SEGV $$")
    assert ended.exit_code == -signal.SIGSEGV


def test_a_program_that_does_not_exist_is_an_error(guarded):
    guarded.send("start", id=1, argv=["/no/such/program"], env={}, timeout=9)
    ended, _ = guarded.ended()
    assert ended.exit_code == 127
    assert "/no/such/program" in ended.error


def test_the_payload_is_stdin_and_the_environment_is_added(guarded):
    ended, output = guarded.run('cat; echo; echo "$BATONPASS_TASK_ID"', payload=b"in", BATONPASS_TASK_ID="t1")
    assert (ended.exit_code, output) == (0, b"in\nt1\n")


@pytest.mark.parametrize("command", ["cat", "true", "cat; cat"])
def test_a_large_payload_blocks_nobody(guarded, command):
    """256 KiB in and out at once, or never read at all."""
    payload = os.urandom(256 * 1024)
    ended, output = guarded.run(command, payload=payload)
    assert ended.exit_code == 0
    assert output in (payload[-LIMIT:], b"")


def test_of_much_output_the_end_is_kept(guarded):
    ended, output = guarded.run("seq 1 200000; echo end")
    assert ended.exit_code == 0
    assert len(output) == LIMIT
    assert output.endswith(b"200000\nend\n")


def test_commands_do_not_inherit_what_the_guardian_holds(guarded):
    _, output = guarded.run("ls /proc/self/fd | wc -l; grep SigIgn /proc/self/status")
    count, ignored = output.decode().split("\n")[:2]
    assert int(count) <= 4
    assert int(ignored.split()[1], 16) & (1 << signal.SIGTERM - 1 | 1 << signal.SIGINT - 1) == 0


def test_cpu_time_of_the_whole_tree_is_counted(guarded):
    """Two children burn half a second each, one of them in a session of its own."""
    burn = f"{sys.executable} -c 'import time\nwhile time.process_time() < 0.5: pass'"
    ended, _ = guarded.run(f"{burn} & setsid {burn} & wait")
    assert 0.9 < ended.cpu_seconds < 2.5
    assert ended.cpu_seconds <= ended.duration * (psutil.cpu_count() or 1) * 1.1


def test_cpu_time_of_a_short_command_is_counted(guarded):
    """One that is over before anybody looks at it."""
    ended, _ = guarded.run(f"{sys.executable} -S -E -c 'sum(range(300000))'")
    assert 0.005 < ended.cpu_seconds < 2


def test_peak_memory_is_the_sum_over_the_tree(guarded):
    """Two processes hold 100 MB each at the same time; none of them alone would be 200 MB."""
    hold = f"{sys.executable} -c 'import time; x = bytearray(100_000_000); time.sleep(0.5)'"
    ended, _ = guarded.run(f"{hold} & {hold} & wait")
    assert 200_000_000 < ended.peak_bytes < 320_000_000


def test_peak_memory_of_a_short_command_is_seen(guarded):
    """150 MB held for a moment between two looks."""
    ended, _ = guarded.run(f"{sys.executable} -c 'bytearray(150_000_000)'")
    assert 140_000_000 < ended.peak_bytes < 250_000_000


def test_a_timeout_ends_the_command(guarded):
    ended, _ = guarded.run("sleep 100", timeout=0.3)
    assert (ended.exit_code, ended.stopped) == (-signal.SIGTERM, "timeout")
    assert 0.3 <= ended.duration < 3


def test_a_command_may_clean_up_when_it_is_stopped(guarded, marked):
    guarded.start(f"trap 'echo bye; exit 4' TERM; {marked.sleep} & wait")
    marked.appear(1)
    guarded.send("stop", id=1, grace=30)
    ended, output = guarded.ended()
    assert (ended.exit_code, ended.stopped, output) == (4, "asked", b"bye\n")
    assert ended.duration < 20
    marked.vanish()


def test_one_that_ignores_sigterm_is_killed_after_its_grace(guarded, marked):
    guarded.start(f"{IGNORE}{marked.sleep}")
    marked.appear(1)
    guarded.send("stop", id=1, grace=0.2)
    ended, _ = guarded.ended()
    assert (ended.exit_code, ended.stopped) == (-signal.SIGKILL, "asked")
    marked.vanish()


def test_a_shorter_grace_replaces_a_longer_one(guarded, marked):
    guarded.start(f"{IGNORE}{marked.sleep}")
    marked.appear(1)
    guarded.send("stop", id=1, grace=60)
    guarded.send("stop", id=1, grace=0.1)
    ended, _ = guarded.ended()
    assert ended.duration < 30


def test_a_stopped_process_is_ended_too(guarded, marked):
    guarded.start(f"kill -STOP $$; {marked.sleep}")
    child = until(lambda: psutil.Process(guarded.process.pid).children(), "the command")[0]
    until(lambda: child.status() == psutil.STATUS_STOPPED, "its stop")
    guarded.send("stop", id=1, grace=60)
    ended, _ = guarded.ended()
    assert ended.exit_code == -signal.SIGTERM


@pytest.mark.parametrize(
    "leave",
    [
        "{sleep} &",
        "setsid {sleep} &",
        DOUBLE_FORK,
        f"env -i {DOUBLE_FORK}",
        "nohup {sleep} >/dev/null 2>&1 &",
    ],
    ids=["background", "setsid", "double fork", "double fork without environment", "nohup"],
)
def test_nothing_is_left_when_the_first_process_ends(guarded, marked, leave):
    ended, _ = guarded.run(f"{leave.format(sleep=marked.sleep)} \n exit 5")
    assert (ended.exit_code, ended.stopped) == (5, "")
    assert marked.alive() == []


@pytest.mark.parametrize("leave", ["setsid {sleep} &", DOUBLE_FORK], ids=["setsid", "double fork"])
def test_nothing_is_left_when_a_command_is_killed(guarded, marked, leave):
    guarded.start(f"{IGNORE}{leave.format(sleep=marked.sleep)} \n {marked.sleep}")
    marked.appear(2)
    guarded.send("stop", id=1, grace=0)
    guarded.ended()
    assert marked.alive() == []


def test_the_sweep_spares_other_commands(guarded, marked):
    guarded.start(f"setsid {marked.sleep} & {DOUBLE_FORK.format(sleep=marked.sleep)}; {marked.sleep}", key=1)
    marked.appear(3)
    before = set(marked.alive())
    for key in range(2, 12):
        assert guarded.run("setsid sleep 100 & exit 0", key=key)[0].exit_code == 0
    assert set(marked.alive()) == before
    guarded.send("stop", id=1, grace=5)
    guarded.ended(1)
    assert marked.alive() == []


def test_a_tree_that_keeps_forking_is_caught(guarded, marked):
    """Each process hands over to a new session and ends, so that no list of processes stays true for long."""
    hop = 'n=0; while [ $n -lt 40 ]; do n=$((n+1)); (setsid sh -c "sleep 0.01; sleep %s" &) ; done; exit 0'
    ended, _ = guarded.run(hop % marked.mark)
    assert ended.exit_code == 0
    assert marked.alive() == []


def test_the_end_of_the_lease_ends_everything(guarded, marked):
    guarded.start(f"{IGNORE}setsid {marked.sleep} & {marked.sleep}")
    marked.appear(2)
    guarded.renew(0.1)
    ended, _ = guarded.ended()
    assert (ended.exit_code, ended.stopped) == (-signal.SIGKILL, "lease")
    assert marked.alive() == []


def test_a_renewed_lease_goes_on(guarded):
    guarded.renew(0.3)
    guarded.start("sleep 0.6; echo done")
    guarded.renew(100)
    ended, output = guarded.ended()
    assert (ended.exit_code, output) == (0, b"done\n")


def test_nothing_starts_without_a_lease(guarded):
    guarded.renew(-1)
    ended, _ = guarded.run("echo hello")
    assert (ended.exit_code, ended.stopped) == (127, "lease")


AGENT = """
import sys, time
from batonpass.agent import clock
from batonpass.agent.guardian.start import start_guardian
from batonpass.agent.guardian.wire import frame
process, link = start_guardian()
def send(**fields):
    link.sendall(frame(fields))
send(op="watch", on=sys.argv[1] == "handlers")
send(op="lease", until=clock.now() + float(sys.argv[2]))
for key, command in enumerate(sys.argv[3:]):
    send(op="start", id=key, argv=["/bin/sh", "-c", command], env={}, timeout=1000)
print(process.pid, flush=True)
time.sleep(1000)
"""


@contextmanager
def agent(kind, lease, *commands):
    """A process that plays the agent, and its guardian."""
    env = {**os.environ, "PYTHONPATH": ":".join(path for path in sys.path if path)}
    words = [sys.executable, "-c", AGENT, kind, str(lease), *commands]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=env) as played:
        try:
            yield played, psutil.Process(int(played.stdout.readline()))
        finally:
            played.kill()


def test_an_agent_killed_with_9_leaves_nothing(marked):
    """Not even what ignores SIGTERM, left its process group, or lost its parent."""
    commands = (
        f"{IGNORE}{marked.sleep}",
        f"setsid {marked.sleep} & wait",
        f"{DOUBLE_FORK.format(sleep=marked.sleep)}; {marked.sleep}",
    )
    with agent("commands", 1_000, *commands) as (played, guardian):
        marked.appear(4)
        played.kill()
    marked.vanish(5)
    until(lambda: not guardian.is_running(), "the end of the guardian")


def test_a_suspended_agent_does_not_keep_its_commands_beyond_the_lease(marked):
    with agent("commands", 1, f"{IGNORE}{marked.sleep}") as (played, _):
        marked.appear(1)
        played.send_signal(signal.SIGSTOP)
        marked.vanish(6)


def test_a_suspended_agent_with_handlers_is_killed_after_the_lease():
    """Its handlers would go on when it wakes up, while the queue has given their tasks to others."""
    with agent("handlers", 0.5) as (played, _):
        played.send_signal(signal.SIGSTOP)
        assert played.wait(10) == -signal.SIGKILL


def test_a_killed_guardian_takes_its_commands_along(guarded, marked):
    guarded.start(f"exec {marked.sleep}")
    marked.appear(1)
    guarded.process.kill()
    marked.vanish(5)


def test_a_signal_to_the_guardian_alone_ends_nothing(guarded):
    """A supervisor signals every process of a group; it is the agent that drains."""
    guarded.run("true")
    guarded.start("sleep 0.3; echo done")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        guarded.process.send_signal(number)
    ended, output = guarded.ended()
    assert (ended.exit_code, output) == (0, b"done\n")


def test_many_commands_run_side_by_side(guarded):
    began = time.monotonic()
    for key in range(40):
        guarded.start(f"sleep 0.2; echo {key}", key=key)
    for key in range(40):
        ended, output = guarded.ended(key)
        assert (ended.exit_code, output) == (0, f"{key}\n".encode())
    assert time.monotonic() - began < DEADLINE


def test_a_guardian_without_work_ends_with_its_agent():
    process, link = start_guardian()
    link.close()
    assert process.wait(DEADLINE) == 0
