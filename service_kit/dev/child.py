"""One process that the supervisor keeps alive."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from service_kit.dev.plan import ROOT

FIRST_BACKOFF: Final = 0.5
LONGEST_BACKOFF: Final = 10.0
GOOD_LIFE: Final = 30.0
STOP_PATIENCE: Final = 20.0
_LOG_LIMIT: Final = 20_000_000


class Child:
    """Started in a session of its own, tied to the life of this process, with its output in a log file."""

    def __init__(self, name: str, command: Sequence[str], env: Mapping[str, str], log: Path) -> None:
        self.name = name
        self._command = tether(command)
        self._env = dict(env)
        self._log = log
        self._log_start = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._failures = 0
        self._restart_at: float | None = None

    @property
    def pid(self) -> int:
        """0 while it does not run."""
        return self._process.pid if self._process is not None and self._process.poll() is None else 0

    def start(self) -> None:
        """Starts it once; `keep_alive` looks after it from then on."""
        if self._log.exists() and self._log.stat().st_size > _LOG_LIMIT:
            self._log.replace(self._log.with_suffix(".old"))
        with self._log.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                self._command, cwd=ROOT, env=self._env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self._started, self._restart_at = time.monotonic(), None

    def wait(self, patience: float) -> int | None:
        """Its exit code, or None when it was stopped because it did not end within `patience` seconds."""
        assert self._process is not None
        try:
            return self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self.stop()
            return None

    def keep_alive(self) -> str | None:
        """Starts it again when it has ended and its backoff is over; returns a line about that."""
        if self.pid:
            return None
        now = time.monotonic()
        if self._restart_at is None:
            self._failures = 1 if now - self._started > GOOD_LIFE else self._failures + 1
            wait = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2 ** (self._failures - 1))
            self._restart_at = now + wait
            return f"{self.name} ended with {self._ending()}; again in {wait:.1f} s (log: {self._log})"
        if now >= self._restart_at:
            self.start()
            return f"{self.name} started again, process {self.pid}"
        return None

    def stop(self) -> None:
        """SIGTERM, after a while SIGKILL, and SIGKILL for what is left of its group; returns when gone."""
        process = self._process
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            process.wait(STOP_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        # The group outlives its leader when the leader left children behind.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)

    def log_tail(self) -> str:
        """The end of what it wrote since its last start."""
        with self._log.open("rb") as log:
            log.seek(self._log_start)
            return log.read()[-3000:].decode(errors="replace").strip()

    def _ending(self) -> str:
        code = self._process.poll() if self._process is not None else None
        return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"


def tether(command: Sequence[str], number: int = signal.SIGTERM) -> list[str]:
    """The command that ends when this process does, however this one ends."""
    return [sys.executable, "-m", "service_kit.tether", str(os.getpid()), str(int(number)), *command]
