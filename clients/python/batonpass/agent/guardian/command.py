"""One command: its first process, its output, its limits in time."""

import os
import resource
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import Final

from batonpass.agent.guardian.processes import resident
from batonpass.agent.guardian.system import die_with_parent, kill_group
from batonpass.agent.guardian.tail import Tail
from batonpass.agent.guardian.wire import Ended

_READ: Final = 64 * 1024
_LAST_READS: Final = 32
"""A pipe holds 1 MiB at most: what is not read by then is written by somebody else and not waited for."""
_MAXRSS_UNIT: Final = 1024


class Command:
    """A process tree with one first process, in a session and process group of its own.

    Times are seconds of `time.monotonic`. `stopped` is the first reason for which it was stopped. `kill_at`
    is when SIGTERM is followed by SIGKILL. A `condemned` command must leave nothing alive: its first
    process has ended, or it has been sent SIGKILL.
    """

    def __init__(
        self, key: int, argv: Sequence[str], env: Mapping[str, str], timeout: float, payload: bytes
    ) -> None:
        """Starts it. Raises OSError when that is not possible."""
        self.key = key
        self.env = env
        self.stopped = ""
        self.kill_at: float | None = None
        self.condemned = False
        self.exit_code: int | None = None
        self._tail = Tail()
        self._cpu_seconds = 0.0
        self._peak = 0
        self._floor = resident(os.getpid())
        self.started = time.monotonic()
        self._process = _spawn(argv, env, payload)
        self.pid = self._process.pid
        self._ended = self.started
        self.timeout_at = self.started + timeout
        assert self._process.stdout is not None
        self.output = self._process.stdout.fileno()
        os.set_blocking(self.output, False)

    def read(self) -> bool:
        """Takes in output that is there. False at its end."""
        try:
            data = os.read(self.output, _READ)
        except BlockingIOError:
            return True
        self._tail.feed(data)
        return bool(data)

    def stop(self, reason: str, grace: float, now: float) -> None:
        """Sends SIGTERM to the process group, and plans SIGKILL for the whole tree after `grace` seconds."""
        if self.exit_code is not None:
            return
        self.stopped = self.stopped or reason
        self.kill_at = min(self.kill_at or now + grace, now + grace)
        self.timeout_at = float("inf")
        self.signal(signal.SIGTERM)
        # A stopped process acts on SIGTERM only when it goes on.
        self.signal(signal.SIGCONT)

    def signal(self, number: signal.Signals) -> None:
        """Signals the process group, as long as its number cannot have become somebody else's."""
        if self.exit_code is None:
            kill_group(self.pid, number)

    def first_process_ended(self, status: int, usage: resource.struct_rusage) -> None:
        """Takes note of the end of the first process, which has been reaped."""
        self._ended = time.monotonic()
        self.condemned = True
        self.exit_code = os.waitstatus_to_exitcode(status)
        self._process.returncode = self.exit_code
        self.count(usage)

    def count(self, usage: resource.struct_rusage) -> None:
        """Adds what a reaped process of the tree, and those that it reaped, used.

        Before exec a process is a copy of the guardian, whose size stays in `ru_maxrss`: what does not
        exceed it says nothing and is left to sampling. (The guardian's own `ru_maxrss` is the agent's.)
        """
        self._cpu_seconds += usage.ru_utime + usage.ru_stime
        largest = usage.ru_maxrss * _MAXRSS_UNIT
        if largest > self._floor:
            self._peak = max(self._peak, largest)
        elif not self._peak:
            self._floor = min(self._floor, largest)

    def sampled(self, resident: int) -> None:
        """Takes in the memory of the whole tree at one moment, in bytes."""
        self._peak = max(self._peak, resident)

    def close(self) -> Ended:
        """Reads what is left of the output and sums up. The tree has ended."""
        for _ in range(_LAST_READS):
            if not self._has_more():
                break
        if self._process.stdout is not None:
            self._process.stdout.close()
        assert self.exit_code is not None
        return Ended(
            exit_code=self.exit_code,
            stopped=self.stopped,
            cpu_seconds=self._cpu_seconds,
            peak_bytes=self._peak or self._floor,
            duration=self._ended - self.started,
        )

    @property
    def content(self) -> bytes:
        """The end of the output."""
        return self._tail.content()

    def _has_more(self) -> bool:
        try:
            data = os.read(self.output, _READ)
        except BlockingIOError:
            return False
        self._tail.feed(data)
        return bool(data)


def _spawn(argv: Sequence[str], env: Mapping[str, str], payload: bytes) -> subprocess.Popen[bytes]:
    guardian = os.getpid()
    stdin = _payload_file(payload)
    try:
        return subprocess.Popen(
            argv,
            env={**os.environ, **env},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            start_new_session=True,
            # Safe here: the guardian has one thread.
            preexec_fn=lambda: die_with_parent(guardian),  # noqa: PLW1509
        )
    finally:
        if stdin != subprocess.DEVNULL:
            os.close(stdin)


def _payload_file(payload: bytes) -> int:
    """A descriptor from which the payload is read: a file, so that nobody waits for a reader or a writer."""
    if not payload:
        return subprocess.DEVNULL
    descriptor = os.memfd_create("payload")
    os.write(descriptor, payload)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
