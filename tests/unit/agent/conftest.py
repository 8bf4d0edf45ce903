"""A real guardian, and a way to see what it leaves behind."""

import os
import secrets
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest
from batonpass.agent import clock
from batonpass.agent.guardian.start import start_guardian
from batonpass.agent.guardian.wire import Ended, Frames, frame

DEADLINE = 20.0


def until(true: Callable[[], Any], what: str, seconds: float = DEADLINE) -> Any:
    """The first true value; fails when there is none in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = true()
        if value:
            return value
        time.sleep(0.005)
    raise AssertionError(f"not in {seconds:g} s: {what}")


class Marked:
    """Processes that carry a mark in their command line, wherever they hang in the process tree."""

    def __init__(self) -> None:
        self.mark = f"98{secrets.randbelow(10**9):09d}"
        self.sleep = f"sleep {self.mark}"

    def alive(self) -> list[int]:
        """Their process ids."""
        found = []
        for process in psutil.process_iter():
            try:
                if self.mark in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process.pid)
            except psutil.Error:
                continue
        return found

    def appear(self, count: int) -> None:
        until(lambda: len(self.alive()) >= count, f"{count} processes with {self.mark}")

    def vanish(self, seconds: float = DEADLINE) -> None:
        until(lambda: not self.alive(), f"the end of processes with {self.mark}", seconds)

    def clean(self) -> None:
        for pid in self.alive():
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                continue


class Guarded:
    """The agent's side of a guardian."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes]
        self.link: socket.socket
        self.process, self.link = start_guardian()
        self.link.settimeout(DEADLINE)
        self._frames = Frames()
        self._ended: dict[int, tuple[Ended, bytes]] = {}
        self.renew(1_000)

    def send(self, op: str, rest: bytes = b"", **fields: Any) -> None:
        self.link.sendall(frame({"op": op, **fields}, rest))

    def renew(self, seconds: float) -> None:
        self.send("lease", until=clock.now() + seconds)

    def start(
        self, command: str, key: int = 1, timeout: float = 100, payload: bytes = b"", **env: str
    ) -> None:
        argv = ["/bin/sh", "-c", command]
        self.send("start", payload, id=key, argv=argv, env=env, timeout=timeout)

    def ended(self, key: int = 1) -> tuple[Ended, bytes]:
        """How a command ended, and its output."""
        while key not in self._ended:
            data = self.link.recv(65536)
            assert data, "the guardian hung up"
            for header, rest in self._frames.feed(data):
                self._ended[header["id"]] = (Ended.of(header), rest)
        return self._ended.pop(key)

    def run(self, command: str, **options: Any) -> tuple[Ended, bytes]:
        self.start(command, **options)
        return self.ended(options.get("key", 1))

    def close(self) -> None:
        self.link.close()
        self.process.wait(DEADLINE)


@pytest.fixture
def guarded() -> Iterator[Guarded]:
    made = Guarded()
    yield made
    made.close()


@pytest.fixture
def marked() -> Iterator[Marked]:
    made = Marked()
    yield made
    made.clean()
