"""The commands of compose.yaml, run from an installed wheel on loopback: mutual TLS, two of each part.

What can be shown without a container engine: that the wheel is complete, that every command starts what it
says, and that the parts find and trust each other with the certificates that the first of them makes.
"""

import json
import os
import re
import shutil
import site
import subprocess
import sys
import venv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.support.compose import ROOT, build_sources, command_of, healthcheck_of, read_compose
from tests.support.stack import Daemon, eventually, free_port

pytestmark = pytest.mark.alone

SERVICES = read_compose()["services"]
START_TIMEOUT = 60.0


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of a new environment with our wheel in it, built from what the Containerfile copies.

    Its dependencies are those of the running one.
    """
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for path in build_sources():
        copy(ROOT / path, source / path)
    venv.create(folder, with_pip=True)
    bin_folder = folder / "bin"
    subprocess.run(
        [bin_folder / "python", "-m", "pip", "install", "--quiet", "--no-deps", str(source)],
        check=True,
        cwd=folder,
        env=plain_environment(),
        timeout=100,
    )
    own = subprocess.check_output(
        [bin_folder / "python", "-c", "import site; print(site.getsitepackages()[0])"], text=True
    )
    (Path(own.strip()) / "dependencies.pth").write_text("\n".join(site.getsitepackages()))
    return bin_folder


class Containers:
    """The services of compose.yaml as processes; their paths and ports are moved to this machine."""

    def __init__(self, folder: Path, programs: Path, database_url: str) -> None:
        self.folder = folder
        self.certs = folder / "certs"
        self.secrets = folder / "secrets"
        self._programs = programs
        self._ports = {(name, number): free_port() for name in ("queue", "scheduler") for number in (1, 2)}
        self._daemons: list[Daemon] = []
        self.certs.mkdir()
        self.secrets.mkdir()
        for name in ("batonpass_queue_database_url", "batonpass_scheduler_database_url"):
            (self.secrets / name).write_text(database_url)

    def run(self, name: str, *arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """A service that ends by itself; `arguments` take the place of its own, as in `compose run`."""
        service = {**SERVICES[name], "command": list(arguments)} if arguments else SERVICES[name]
        words = self._moved(command_of(service), 1)
        return self._run(words, self._environment(name), check)

    def json(self, *words: str) -> Any:
        """What `cli` prints for the words."""
        return json.loads(self.run("cli", *words, "-o", "json").stdout)

    def start(self, name: str) -> None:
        """Every replica of a service; returns when each is healthy."""
        for number in range(1, SERVICES[name]["deploy"]["replicas"] + 1):
            words = self._moved(command_of(SERVICES[name]), number)
            if name == "agent":  # each container has a host name of its own, which is the default
                words += ["--name", f"agent-{number}"]
            log = self.folder / f"{name}-{number}.log"
            daemon = Daemon(f"{name}-{number}", words, self._environment(name), log)
            self._daemons.append(daemon)
            daemon.start()
            eventually(lambda n=number: self.healthy(name, n), f"{daemon.name} is healthy", START_TIMEOUT)

    def healthy(self, name: str, number: int) -> bool:
        words = self._moved(healthcheck_of(SERVICES[name]), number)
        if name == "agent":
            words.append(f"agent-{number}")
        return self._run(words, self._environment(name), check=False).returncode == 0

    def address(self, name: str, number: int) -> str:
        return f"localhost:{self._ports[name, number]}"

    def stop(self) -> None:
        codes = {daemon.name: daemon.stop() for daemon in reversed(self._daemons)}
        assert set(codes.values()) <= {0}, codes

    def logs(self) -> str:
        return "\n".join(f"--- {daemon.name}\n{daemon.tail()}" for daemon in self._daemons)

    def _run(
        self, words: Sequence[str], environment: Mapping[str, str], check: bool
    ) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            words, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0 or not check, f"{words}\n{done.stdout}\n{done.stderr}"
        return done

    def _environment(self, name: str) -> dict[str, str]:
        given = {key: self._move(value, 1) for key, value in SERVICES[name].get("environment", {}).items()}
        return {
            **plain_environment(),
            "PATH": f"{self._programs}:{os.environ['PATH']}",
            "BATONPASS_SECRETS_DIR": str(self.secrets),
            **given,
            "BATONPASS_HOME": str(self.folder),
        }

    def _moved(self, words: Sequence[str], number: int) -> list[str]:
        return [self._move(word, number) for word in words]

    def _move(self, word: str, number: int) -> str:
        """Container paths, names and ports as they are here; a replica listens on a port of its own."""
        word = word.replace("/certs", str(self.certs)).replace("/opt/batonpass", str(ROOT))
        word = word.replace("/var/lib/batonpass", str(self.folder))
        word = re.sub(r"(--metrics-listen=127\.0\.0\.1):\d+", r"\1:0", word)
        for name, port in (("queue", 7402), ("scheduler", 7401)):
            word = word.replace(f"0.0.0.0:{port}", f"127.0.0.1:{self._ports[name, number]}")
            word = word.replace(f"127.0.0.1:{port}", f"127.0.0.1:{self._ports[name, number]}")
            word = word.replace(f"{name}:{port}", self.address(name, 1))
        return word


@pytest.fixture
def containers(programs: Path, empty_database_url: str, tmp_path: Path) -> Iterator[Containers]:
    made = Containers(tmp_path, programs, empty_database_url)
    try:
        yield made
    finally:
        print(made.logs())
        made.stop()


def test_commands_of_the_compose_file_make_a_working_whole(containers):
    containers.run("certs")
    assert not (containers.certs / "ca.key").exists()
    containers.run("certs")  # started again, it keeps what is there
    for migration in ("migrate-queue", "migrate-scheduler"):
        containers.run(migration)
    for name in ("queue", "scheduler", "agent"):
        containers.start(name)

    schedule = ("--name", "Backup", "--handler", "name:backup", "--cron", "0 2 * * *")
    containers.run("cli", "schedule", "create", "backup", *schedule)
    containers.run("cli", "schedule", "queue", "backup")
    containers.run("cli", "process")
    (task,) = containers.json("task", "list", "--schedule", "backup")["tasks"]
    assert task["state"] == "SUCCEEDED"
    assert task["executor"] in ("agent-1", "agent-2")
    assert list((containers.folder / "output" / "backups").glob("*.tar.gz"))

    with grpc.insecure_channel(containers.address("queue", 1)) as plaintext:
        ready = grpc.channel_ready_future(plaintext)
        with pytest.raises(grpc.FutureTimeoutError):
            ready.result(timeout=1)


def copy(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        shutil.copytree(path, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(path, target)


def plain_environment() -> dict[str, str]:
    """Nothing that leads to this checkout or to another stack."""
    left_out = ("BATONPASS_", "DATABASE_", "PYTHON", "VIRTUAL_ENV", "PIP_TARGET")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1" if sys.dont_write_bytecode else ""}
