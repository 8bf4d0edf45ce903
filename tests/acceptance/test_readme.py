"""The README's tour and its programs work word for word."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.support.npm import npm_project
from tests.support.stack import ROOT, eventually

pytestmark = pytest.mark.alone


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A state folder of its own; whatever was started there is gone afterwards."""
    home = tmp_path / ".batonpass"
    home.mkdir()
    yield home
    dev(home, "./dev reset")


def dev(home: Path, command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["sh", "-c", command],
        cwd=ROOT, env=environment(home), capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip


def environment(home: Path) -> dict[str, str]:
    env = {key: value for key, value in os.environ.items() if not key.startswith(("BATONPASS_", "DATABASE_"))}
    return {**env, "BATONPASS_HOME": str(home)}


def tour() -> list[str]:
    """The tour's commands, one a line."""
    return [line for block in blocks("Five-minute tour", "sh") for line in block.splitlines() if line.strip()]


def blocks(title: str, language: str) -> list[str]:
    """The code blocks of a section, in order."""
    section = (ROOT / "README.md").read_text().split(f"## {title}\n")[1].split("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)


@contextmanager
def running(home: Path, folder: Path, *command: str) -> Iterator[None]:
    """A program that is told to end, and has ended, when the block is left."""
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, env=environment(home), stdout=output, stderr=output)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def processes_of(home: Path) -> list[str]:
    """Processes that know the state folder, by their command line or environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(home) in " ".join(process.cmdline()) or process.environ().get("BATONPASS_HOME") == str(
                home
            ):
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


@pytest.mark.timeout(300)
def test_the_tour_works_word_for_word_and_leaves_no_process(home: Path) -> None:
    commands = tour()
    assert len(commands) > 20
    printed = {}
    for command in commands:
        done = dev(home, command)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        printed[command] = done.stdout
    night = next(output for command, output in printed.items() if "30 2 * * *" in command)
    assert "2027-03-28T03:00:00" in night, "02:30 does not exist that night"
    assert " succeeded" in printed["./dev batonpass process"], "it has seen tasks end"
    assert processes_of(home) == []


@pytest.mark.timeout(300)
def test_the_programs_work_word_for_word(home: Path, tmp_path: Path) -> None:
    """The worker beside the stack's agent, the producer with the checkout's python, from one folder."""
    worker, producer = blocks("From your own code", "python")
    (command,) = blocks("From your own code", "sh")
    (tmp_path / "images.py").write_text(worker)
    (tmp_path / "enqueue.py").write_text(producer)
    assert dev(home, "./dev up --detach").returncode == 0
    words = command.replace("./dev", str(ROOT / "dev")).split()
    with running(home, tmp_path, *words):
        eventually(lambda: is_online(home, "images"), "the worker is online", timeout=60)
        done = subprocess.run(
            [sys.executable, "enqueue.py"],
            cwd=tmp_path, env=environment(home), capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (0, "TASK_STATE_SUCCEEDED\n"), done.stderr
        assert is_online(home, "local"), "the stack's own agent is not disturbed"
    assert "cat.png attempt 1" in (tmp_path / "output").read_text()


@pytest.mark.timeout(300)
def test_the_typescript_example_finds_the_stack_upwards_from_where_it_runs(
    home: Path, tmp_path: Path
) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    found = {key: value for key, value in environment(home).items() if key != "BATONPASS_HOME"}
    with npm_project() as project:
        project.run("npm", "run", "build")
        assert dev(home, "./dev up --detach").returncode == 0
        done = subprocess.run(
            ["node", str(project.folder / "dist" / "src" / "example.js")],
            cwd=below, env=found, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["completed"]["state"] == "SUCCEEDED"


def is_online(home: Path, executor: str) -> bool:
    done = dev(home, "./dev batonpass executor list -o json")
    executors = json.loads(done.stdout)["executors"]
    return any((found["name"], found["state"]) == (executor, "ONLINE") for found in executors)
