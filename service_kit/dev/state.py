"""The state folder of one development stack: `.batonpass` of the checkout, or BATONPASS_HOME."""

import fcntl
import json
import os
import shutil
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from service_kit.dev.plan import ROOT
from service_kit.pgcluster import is_free


class StateFolder:
    """Where a stack keeps what outlives it (data, ports, logs) and what tells about it while it runs."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.postgres = self.path / "postgres"
        self.logs = self.path / "logs"
        self.run = self.path / "run"
        self.endpoints = self.path / "endpoints.json"
        self._ports = self.path / "ports.json"
        self._lock = self.run / "lock"
        self._record = self.run / "supervisor.json"

    @classmethod
    def here(cls) -> "StateFolder":
        """The folder that the environment or the checkout names, created when absent."""
        state = cls(Path(os.environ.get("BATONPASS_HOME") or ROOT / ".batonpass"))
        for folder in (state.path, state.logs, state.run):
            folder.mkdir(parents=True, exist_ok=True)
        return state

    def log(self, name: str) -> Path:
        """The log file of one process."""
        return self.logs / f"{name}.log"

    @contextmanager
    def only_one(self) -> Iterator[bool]:
        """Holds the supervisor's lock, which ends with the process; yields False when another one has it."""
        with self._lock.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                yield False
                return
            yield True

    def is_running(self) -> bool:
        """True while a supervisor lives on this folder."""
        with self.only_one() as free:
            return not free

    def remember(self, processes: Mapping[str, int]) -> None:
        """Writes down the supervisor's and its children's process ids."""
        _write(self._record, {"pid": os.getpid(), "processes": dict(processes)})

    def record(self) -> dict[str, Any]:
        """What was written down last: `pid` and `processes` (name -> pid); empty when nothing was."""
        try:
            found: dict[str, Any] = json.loads(self._record.read_text())
        except (OSError, ValueError):
            return {}
        return found

    def forget(self) -> None:
        """Removes what only makes sense while the stack runs."""
        for file in (self._record, self.endpoints, *self.run.glob("*.json")):
            file.unlink(missing_ok=True)

    def publish(self, endpoints: Mapping[str, str]) -> None:
        """Writes `endpoints.json`, for us only: it holds the database's password."""
        _write(self.endpoints, dict(endpoints))

    def published(self) -> dict[str, str]:
        """What `publish` wrote last; empty while nothing runs."""
        try:
            found: dict[str, str] = json.loads(self.endpoints.read_text())
        except (OSError, ValueError):
            return {}
        return found

    def ports(self, names: Iterable[str]) -> dict[str, int]:
        """A port for each name: that of the last time when it is free, else any free one. Remembered."""
        try:
            last: dict[str, int] = json.loads(self._ports.read_text())
        except (OSError, ValueError):
            last = {}
        with ExitStack() as held:
            ports = {name: last.get(name, 0) for name in names}
            for name, port in ports.items():
                if not (port and is_free(port)):
                    ports[name] = _any_port(held)
        _write(self._ports, {**last, **ports})
        return ports

    def delete_data(self, names: Iterable[str]) -> list[str]:
        """Deletes everything that a stack wrote here, and nothing else; returns the names of what it was."""
        note = self.postgres / "home"
        if note.exists():
            shutil.rmtree(note.read_text().strip(), ignore_errors=True)
        folders = (self.postgres, self.logs, self.run, *(self.path / name for name in names))
        files = (self.endpoints, self._ports)
        found = [path.name for path in (*folders, *files) if path.exists()]
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
        for file in files:
            file.unlink(missing_ok=True)
        return found


def _any_port(held: ExitStack) -> int:
    """Stays bound until `held` ends, so that the next call finds another one."""
    probe = held.enter_context(socket.socket())
    probe.bind(("127.0.0.1", 0))
    port: int = probe.getsockname()[1]
    return port


def _write(file: Path, content: object) -> None:
    """In one step and for us only."""
    scratch = file.with_name(f"{file.name}.{os.getpid()}")
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        json.dump(content, out)
    scratch.replace(file)
