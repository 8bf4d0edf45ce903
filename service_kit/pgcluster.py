"""One PostgreSQL data folder and the server process on it; used by the launcher in `embedded.py`."""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

from service_kit.pgbinaries import Binaries, find_binaries
from service_kit.pguser import PostgresUser, home_for, postgres_user, shared_base
from service_kit.tether import signal_when_parent_dies

ROLE: Final = "batonpass"
START_TIMEOUT: Final = 60.0
STOP_TIMEOUT: Final = 30.0
SETTINGS: Final[Mapping[str, str]] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %a ",
    "jit": "off",
}
_LOG_LIMIT: Final = 10_000_000


class StartFailed(RuntimeError):
    """PostgreSQL did not come up; the text holds the end of its log."""


@dataclass
class Cluster:
    """Files below `home`: `data` (PostgreSQL's), `password` (0600), `port` (the last one), `log`.

    `home` is `wanted`, or the folder elsewhere that `home_for` finds when PostgreSQL's user cannot enter
    it; the password stays in `wanted`. `process` is None for a server that somebody else runs on the same
    data.
    """

    wanted: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    user: PostgresUser = field(default_factory=postgres_user)
    process: "subprocess.Popen[bytes] | None" = None
    port: int = 0

    def __post_init__(self) -> None:
        self.home = home_for(self.wanted, self.user)
        self.data = self.home / "data"
        self._binaries: Binaries | None = None

    def start(self, port: int = 0) -> None:
        """Starts the server, or finds the one that runs on this data already. Raises StartFailed.

        `port` 0 means the port of the last time when it is free, else any free one.
        """
        if self._wait_for_other():
            return
        self._initialise()
        self.data.joinpath("postmaster.pid").unlink(missing_ok=True)
        for attempt in range(5):
            self._launch(port or self._free_port(keep=attempt == 0))
            if self._is_ready():
                self.home.joinpath("port").write_text(f"{self.port}\n")
                return
            if port or not self._port_was_taken():
                break
        raise StartFailed(f"PostgreSQL did not start; the end of {self._log}:\n{self._log_tail()}")

    def stop(self) -> None:
        """Fast shutdown; a server that somebody else runs is left alone."""
        process = self.process
        if process is None:
            return
        for number, patience in (
            (signal.SIGINT, STOP_TIMEOUT),
            (signal.SIGQUIT, 5.0),
            (signal.SIGKILL, None),
        ):
            if process.poll() is None:
                process.send_signal(number)
            try:
                process.wait(patience)
                break
            except subprocess.TimeoutExpired:
                continue
        self.process = None

    def has_ended(self) -> bool:
        """True when the server is gone, whoever started it."""
        return self._other() is None if self.process is None else self.process.poll() is not None

    def url(self, database: str = ROLE) -> str:
        """The address with the password."""
        return f"postgresql://{ROLE}:{self._password()}@127.0.0.1:{self.port}/{database}"

    def endpoint(self) -> str:
        """What others need to know, as one line of JSON: url, port, pid of the server, home."""
        found = self._other()
        pid = self.process.pid if self.process else found.pid if found else 0
        facts = {"url": self.url(), "port": self.port, "pid": pid, "home": str(self.home)}
        return json.dumps(facts)

    @property
    def _log(self) -> Path:
        return self.home / "log"

    def _other(self) -> psutil.Process | None:
        """The live server on this data folder, whoever started it."""
        try:
            lines = self.data.joinpath("postmaster.pid").read_text().splitlines()
            process = psutil.Process(int(lines[0]))
            same = process.name().startswith("postgres") and Path(process.cwd()) == self.data
        except (OSError, ValueError, IndexError, psutil.Error):
            return None
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None

    def _wait_for_other(self) -> bool:
        """True when another server is ready on this data; one that is on its way out is waited for."""
        deadline = time.monotonic() + START_TIMEOUT
        while (found := self._other()) is not None:
            status, port = _pid_file(self.data)
            if status == "ready" and port:
                self.port = port
                # A postmaster that was told to stop says "ready" for a moment longer.
                time.sleep(0.1)
                if found.is_running() and _pid_file(self.data)[0] == "ready":
                    return True
            if time.monotonic() > deadline:
                raise StartFailed(f"process {found.pid} holds {self.data} and is not ready")
            time.sleep(0.05)
        return False

    def _initialise(self) -> None:
        if self.data.joinpath("PG_VERSION").exists():
            return
        fresh, secret = self.home / "data.new", self.home / "secret.new"
        for leftover in (fresh, self.data):
            shutil.rmtree(leftover, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        self.user.give(fresh)
        _write_private(secret, self._password())
        self.user.give(secret)
        hasty = ["--no-sync"] if self.settings.get("fsync") == "off" else []
        login = ["-U", ROLE, "-A", "scram-sha-256", f"--pwfile={secret}"]
        self._run("initdb", "-D", fresh, *login, "-E", "UTF8", "--no-locale", "--no-instructions", *hasty)
        secret.unlink()
        self._run("postgres", "--single", "-D", fresh, "postgres", stdin=f"CREATE DATABASE {ROLE};\n")
        fresh.rename(self.data)

    def _run(self, program: str, *arguments: str | Path, stdin: str = "") -> None:
        done = subprocess.run(
            [self._programs().bin / program, *arguments],
            cwd=self.home, env=_environment(), input=stdin, text=True, capture_output=True, check=False,
            **self.user.arguments(),
        )  # fmt: skip
        if done.returncode:
            raise StartFailed(f"{program} failed: {(done.stderr or done.stdout).strip()}")

    def _launch(self, port: int) -> None:
        options = [f"--{name}={value}" for name, value in {**SETTINGS, **self.settings}.items()]
        if self._log.exists() and self._log.stat().st_size > _LOG_LIMIT:
            self._log.unlink()
        with self._log.open("ab") as log:
            self._log_start = log.tell()
            self.process = subprocess.Popen(
                [self._programs().bin / "postgres", "-D", self.data, "-p", str(port), *options],
                cwd=self.home, env=_environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, **self.user.arguments(),
                preexec_fn=_die_with_launcher,  # noqa: PLW1509 (the launcher has one thread)
            )  # fmt: skip
        self.port = port

    def _is_ready(self) -> bool:
        """Waits for the server to accept connections; false when it ended instead."""
        assert self.process is not None
        deadline = time.monotonic() + START_TIMEOUT
        while self.process.poll() is None:
            if _pid_file(self.data)[0] == "ready":
                return True
            if time.monotonic() > deadline:
                self.stop()
                return False
            time.sleep(0.02)
        self.process = None
        return False

    def _programs(self) -> Binaries:
        if self._binaries is None:
            version = self.data / "PG_VERSION"
            found = find_binaries(int(version.read_text()) if version.exists() else None)
            reachable = self.user.can_enter(found.bin)
            self._binaries = found if reachable else found.copied_to(shared_base())
        return self._binaries

    def _password(self) -> str:
        path = self.wanted / "password"
        if not path.exists():
            _write_private(path, secrets.token_urlsafe(24))
        return path.read_text().strip()

    def _free_port(self, keep: bool) -> int:
        last = self.home / "port"
        if keep and last.exists() and is_free(int(last.read_text())):
            return int(last.read_text())
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
            return port

    def _port_was_taken(self) -> bool:
        tail = self._log_tail()
        return "Address already in use" in tail or "could not bind" in tail

    def _log_tail(self) -> str:
        with self._log.open("rb") as log:
            log.seek(self._log_start)
            return log.read()[-4000:].decode(errors="replace")


def is_free(port: int) -> bool:
    """True when nobody listens on this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _die_with_launcher() -> None:
    """SIGINT is PostgreSQL's fast shutdown."""
    signal_when_parent_dies(signal.SIGINT)


def _pid_file(data: Path) -> tuple[str, int]:
    """(status, port) that the server wrote about itself; ("", 0) when it has not."""
    try:
        lines = data.joinpath("postmaster.pid").read_text().splitlines()
        return lines[7].strip(), int(lines[3])
    except (OSError, ValueError, IndexError):
        return "", 0


def _environment() -> dict[str, str]:
    """Ours without PG* variables, which would steer the server, and with the plain locale."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return {**kept, "LC_ALL": "C"}


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
