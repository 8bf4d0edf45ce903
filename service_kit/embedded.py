"""PostgreSQL without an installation, for development and tests: a launcher process and the handle on it.

    python -m service_kit.embedded --data DIR [--port N] [--endpoint-file F] [--set name=value ...]

The launcher runs PostgreSQL and nothing else, so that nothing else lives in the process that forks it.
PostgreSQL stops when the launcher stops or is killed, and the launcher stops when its parent does. It exits
1 when PostgreSQL ends by itself.
"""

import argparse
import json
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import psutil

from service_kit.pgcluster import Cluster, StartFailed
from service_kit.tether import follow

__all__ = ["EmbeddedPostgres", "StartFailed"]

ENDPOINT_TIMEOUT: Final = 120.0


class EmbeddedPostgres:
    """A PostgreSQL of one's own on `data_dir`, which is created when absent and kept by `stop`.

    `port` 0 means the port of the last time when it is free, else a free one. `settings` are server
    settings such as `{"fsync": "off"}`; without any, COMMIT is durable. The server listens on 127.0.0.1
    only, with a password. When a live server is on the data already, it is used and left running.
    """

    def __init__(self, data_dir: Path, port: int = 0, settings: Mapping[str, str] | None = None) -> None:
        self._data_dir = data_dir
        self._port = port
        self._settings = dict(settings or {})
        self._launcher: subprocess.Popen[str] | None = None
        self._facts: dict[str, Any] = {}

    def start(self) -> "EmbeddedPostgres":
        """Returns when connections are accepted. Raises StartFailed with the reason."""
        command = [sys.executable, "-m", "service_kit.embedded", "--data", str(self._data_dir)]
        command += ["--port", str(self._port), "--parent", str(os.getpid())]
        command += [f"--set={name}={value}" for name, value in self._settings.items()]
        self._launcher = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=_environment(),
            start_new_session=True,
        )  # fmt: skip
        line = _first_line(self._launcher)
        if not line.startswith("{"):
            self.stop()
            raise StartFailed(line.strip() or "the PostgreSQL launcher ended without a word")
        self._facts = json.loads(line)
        return self

    def stop(self) -> None:
        """Stops the server, waits until it is gone and keeps the data. Harmless when nothing runs."""
        launcher, self._launcher = self._launcher, None
        if launcher is None:
            return
        launcher.terminate()
        launcher.wait()
        for stream in (launcher.stdin, launcher.stdout):
            if stream is not None:
                stream.close()

    def kill(self) -> None:
        """Kills the server with SIGKILL, as a crash would end it; returns when all its processes are gone."""
        server = psutil.Process(self.pid)
        family = [server, *server.children(recursive=True)]
        server.kill()
        psutil.wait_procs(family, timeout=30)
        self.stop()

    def remove(self) -> None:
        """Stops the server and deletes its data."""
        self.stop()
        home = Path(self._facts.get("home", self._data_dir))
        for folder in {home, self._data_dir}:
            shutil.rmtree(folder, ignore_errors=True)

    def url(self, database: str | None = None) -> str:
        """The libpq URL of `database` (default: `batonpass`), password included."""
        parts = urlsplit(str(self._facts["url"]))
        return urlunsplit(parts._replace(path=f"/{database}")) if database else urlunsplit(parts)

    @property
    def port(self) -> int:
        """The port on 127.0.0.1."""
        return int(self._facts["port"])

    @property
    def pid(self) -> int:
        """The process id of the server."""
        return int(self._facts["pid"])


def main(arguments: Sequence[str] | None = None) -> int:
    """The launcher. Returns 0 after a stop, 1 when PostgreSQL could not start or ended by itself."""
    options = _parser().parse_args(arguments)
    if options.parent:
        follow(options.parent)
    settings = dict(setting.partition("=")[::2] for setting in options.set)
    stopping = signal.SIGTERM, signal.SIGINT, signal.SIGHUP
    for number in stopping:
        signal.signal(number, _stop)
    cluster = None
    try:
        cluster = Cluster(options.data, settings)
        cluster.start(options.port)
        _announce(cluster, options.endpoint_file)
        return _wait(cluster, watch_stdin=bool(options.parent))
    except _Stopped:
        return 0
    except (StartFailed, OSError) as error:
        print(" ".join(str(error).splitlines()), flush=True)
        return 1
    finally:
        for number in stopping:
            signal.signal(number, signal.SIG_IGN)
        if cluster is not None:
            cluster.stop()


class _Stopped(Exception):
    """A signal asked the launcher to stop."""


def _stop(_number: int, _frame: object) -> None:
    raise _Stopped


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m service_kit.embedded", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder for data, password and log")
    parser.add_argument("--port", type=int, default=0, help="0 = the last one when free, else any")
    parser.add_argument("--endpoint-file", type=Path, help="receives url, port and pid as JSON, mode 0600")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a server setting")
    parser.add_argument(
        "--parent", type=int, default=0, help="stop when this parent ends or closes our stdin"
    )
    return parser


def _announce(cluster: Cluster, file: Path | None) -> None:
    line = cluster.endpoint()
    if file is not None:
        scratch = file.with_name(f"{file.name}.new")
        scratch.unlink(missing_ok=True)
        scratch.touch(mode=0o600)
        scratch.write_text(line)
        scratch.replace(file)
    print(line, flush=True)


def _wait(cluster: Cluster, watch_stdin: bool) -> int:
    """Returns 1 when the server ends, 0 when the parent closes our stdin (where no kernel tells us)."""
    streams = [sys.stdin] if watch_stdin else []
    while True:
        readable, _, _ = select.select(streams, [], [], 0.2)
        if readable and not sys.stdin.read(1):
            return 0
        if cluster.has_ended():
            return 1


def _first_line(launcher: "subprocess.Popen[str]") -> str:
    assert launcher.stdout is not None
    readable, _, _ = select.select([launcher.stdout], [], [], ENDPOINT_TIMEOUT)
    return launcher.stdout.readline() if readable else f"no PostgreSQL after {ENDPOINT_TIMEOUT:.0f} s"


def _environment() -> dict[str, str]:
    """Ours, with this package importable wherever the parent found it."""
    root = str(Path(__file__).resolve().parents[1])
    paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


if __name__ == "__main__":
    raise SystemExit(main())
