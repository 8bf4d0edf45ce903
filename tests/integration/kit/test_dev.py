"""The supervisor behind `./dev up`, with real PostgreSQL and the kit's example service."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from service_kit.dev.supervisor import is_healthy
from tests.support.postgres import PostgresForTests
from tests.support.waiting import until

pytestmark = pytest.mark.alone

ROOT = Path(__file__).resolve().parents[3]

PLAN = """
[tool.batonpass.stack]
load = ["true"]
watch = ["sleep", "1000"]
data = ["leases"]

[[tool.batonpass.stack.services]]
name = "first"
module = "tests.support.kit_service"

[[tool.batonpass.stack.services]]
name = "second"
module = "tests.support.kit_service"
flags = ["--other", "{first}"]

[[tool.batonpass.stack.clients]]
name = "idle"
command = ["sleep", "1000"]
"""


class Dev:
    """`python -m service_kit.dev` on a state folder of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.plan = home / "plan.toml"
        self.plan.write_text(PLAN)
        kept = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
        paths = f"{ROOT}:{ROOT / 'clients' / 'python'}"
        self.env = {
            **kept,
            "BATONPASS_HOME": str(home),
            "BATONPASS_STACK": str(self.plan),
            "PYTHONPATH": paths,
        }

    def start(self, *words: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "service_kit.dev", *words],
            env=self.env,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def __call__(self, *words: str, expect: int = 0) -> str:
        """Runs a command to its end and returns what it printed."""
        process = self.start(*words)
        out, _ = process.communicate(timeout=90)
        assert process.returncode == expect, out
        return out

    def in_foreground(self) -> "subprocess.Popen[str]":
        """`up`, once everything runs."""
        process = self.start("up")
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("Ctrl-C"):
                break
        return process

    def endpoints(self) -> dict[str, str]:
        found: dict[str, str] = json.loads((self.home / "endpoints.json").read_text())
        return found

    def record(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.home / "run" / "supervisor.json").read_text())
        return found

    def family(self) -> list[psutil.Process]:
        """The supervisor and everything below it."""
        supervisor = psutil.Process(self.record()["pid"])
        return [supervisor, *supervisor.children(recursive=True)]


@pytest.fixture
def dev() -> Iterator[Dev]:
    home = Path(tempfile.mkdtemp(prefix="batonpass-dev-"))
    home.chmod(0o755)
    dev = Dev(home)
    yield dev
    dev("reset")
    shutil.rmtree(home)


def all_gone(processes: list[psutil.Process]) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=30)
    return not alive


def eventually(condition: Any, what: str) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def test_detached_stack_serves_until_down_and_comes_back_on_the_same_ports(dev: Dev) -> None:
    out = dev("up", "--detach")
    endpoints, family = dev.endpoints(), dev.family()
    assert endpoints["first"] in out
    assert is_healthy(endpoints["first_metrics"])
    assert is_healthy(endpoints["second_metrics"])
    assert {"postgres", "first", "second", "idle"} == set(dev.record()["processes"])
    status = dev("status")
    assert "does not serve" not in status
    assert endpoints["first_metrics"] in status
    assert "database   postgresql://" in status
    assert endpoints["database"] not in status, "the password is not shown"
    assert "runs already" in dev("up", "--detach")
    dev("down")
    assert all_gone(family)
    assert not (dev.home / "endpoints.json").exists()
    assert "nothing runs" in dev("status", expect=1)
    dev("up", "--detach")
    assert dev.endpoints() == endpoints


def test_killed_service_is_started_again(dev: Dev) -> None:
    dev("up", "--detach")
    metrics = dev.endpoints()["first_metrics"]
    victim = dev.record()["processes"]["first"]
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: dev.record()["processes"]["first"] not in (0, victim), "first is started again")
    eventually(lambda: is_healthy(metrics), "first serves again")


def test_killed_database_is_started_again_with_its_data(dev: Dev) -> None:
    dev("up", "--detach")
    endpoints = dev.endpoints()
    (server,) = (process for process in dev.family() if "-D" in process.cmdline())
    server.kill()
    eventually(lambda: not is_healthy(endpoints["first_metrics"]), "first misses its database")
    eventually(lambda: is_healthy(endpoints["first_metrics"]), "first has its database again")
    assert dev.endpoints() == endpoints


def test_killed_supervisor_leaves_nothing(dev: Dev) -> None:
    dev("up", "--detach")
    family = dev.family()
    family[0].kill()
    assert all_gone(family)
    assert "nothing runs" in dev("status", expect=1)
    dev("up", "--detach")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_end_of_the_foreground_stops_everything(dev: Dev, number: signal.Signals) -> None:
    process = dev.in_foreground()
    family = dev.family()
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == (0 if number is not signal.SIGKILL else -signal.SIGKILL)
    assert all_gone(family)


@pytest.mark.parametrize("words", [("down",), ("reset",)])
def test_stack_in_the_foreground_is_stopped_from_elsewhere(dev: Dev, words: tuple[str, ...]) -> None:
    """`up` ends by itself, and its supervisor, which only it can collect, holds nobody up."""
    process = dev.in_foreground()
    family = [*dev.family(), psutil.Process(process.pid)]
    assert "stopped" in dev(*words)
    out, _ = process.communicate(timeout=30)
    assert (process.returncode, "Traceback" in out) == (0, False)
    assert all_gone(family)


def test_down_counts_a_zombie_as_gone(dev: Dev) -> None:
    """The foreground is held, so the supervisor stays a zombie."""
    process = dev.in_foreground()
    process.send_signal(signal.SIGSTOP)
    try:
        assert "stopped" in dev("down")
    finally:
        process.send_signal(signal.SIGCONT)
    process.communicate(timeout=30)
    assert process.returncode == 0


def test_signals_during_the_start_end_it_without_a_traceback(dev: Dev) -> None:
    process = dev.start("up")
    assert process.stdout is not None
    process.stdout.readline()
    family = dev.family()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGINT):
        process.send_signal(number)
    out, _ = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in out) == (0, False), out
    assert all_gone(family)


def test_only_services_know_the_database(dev: Dev) -> None:
    dev.env["PGPASSWORD"] = "secret"
    dev("up", "--detach")
    processes = dev.record()["processes"]
    assert "DATABASE_URL" in psutil.Process(processes["first"]).environ()
    assert not {"DATABASE_URL", "PGPASSWORD"} & psutil.Process(processes["idle"]).environ().keys()


async def test_live_view_does_not_know_the_database(dev: Dev, postgres: PostgresForTests) -> None:
    with postgres.database() as url:
        dev.env |= {"DATABASE_URL": url, "BATONPASS_FIRST_DATABASE_URL": url}
        process = dev.in_foreground()

        async def views() -> list[psutil.Process]:
            # A child that has not become its program yet still shows the supervisor's command line.
            return [child for child in psutil.Process(process.pid).children() if "sleep" in child.cmdline()]

        (view,) = await until(views, "the live view runs")
        assert url not in view.environ().values()
        dev("down")
        process.communicate(timeout=30)


def test_environment_is_kept_when_it_is_active(tmp_path: Path) -> None:
    """`./dev` finds its own python first on PATH then; it must not build on that, nor delete it."""
    checkout = tmp_path / "checkout"
    (checkout / "service_kit" / "dev").mkdir(parents=True)
    (checkout / "service_kit" / "dev" / "__main__.py").write_text("print('ran')")
    shutil.copy(ROOT / "dev", checkout)
    shutil.copy(ROOT / "pyproject.toml", checkout)
    uv = tmp_path / "bin" / "uv"
    uv.parent.mkdir()
    uv.write_text('#!/bin/sh\n[ "$1" = pip ] || exec "$5" -m venv --without-pip "$6"\n')
    uv.chmod(0o755)
    environment = checkout / ".batonpass" / "venv"
    path = f"{uv.parent}:{os.environ['PATH']}"
    said = ""
    for active in (path, f"{environment / 'bin'}:{path}"):
        env = {"PATH": active, "PYTHONPATH": str(checkout)}
        done = subprocess.run(["./dev", "status"], cwd=checkout, env=env, capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (0, "ran\n"), done.stderr
        said += done.stderr
    assert said.count("making the environment") == 1


def test_failed_start_says_why_and_leaves_nothing(dev: Dev) -> None:
    dev.plan.write_text(PLAN.replace('"--other"', '"--no-such-flag"'))
    out = dev("up", "--detach", expect=1)
    assert "second ended" in out
    assert "--no-such-flag" in out
    assert "nothing runs" in dev("status", expect=1)
    commands = (str(process.info["cmdline"]) for process in psutil.process_iter(["cmdline"]))
    assert not [command for command in commands if str(dev.home) in command]


def test_database_of_the_user_is_used_and_spared(dev: Dev, postgres: PostgresForTests) -> None:
    with postgres.database() as url:
        dev.env["DATABASE_URL"] = url
        dev("up", "--detach")
        assert dev.endpoints()["database"] == url
        assert "postgres" not in dev.record()["processes"]
        assert "left alone" in dev("reset")


def test_reset_deletes_the_data_and_nothing_else(dev: Dev) -> None:
    dev("up", "--detach")
    (dev.home / "leases").mkdir()
    (dev.home / "mine").touch()
    out = dev("reset")
    assert "postgres" in out
    assert "leases" in out
    assert sorted(path.name for path in dev.home.iterdir()) == ["mine", "plan.toml"]
