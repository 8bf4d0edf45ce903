"""The README's tour works word for word."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.stack import ROOT


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A state folder of its own; whatever was started there is gone afterwards."""
    home = tmp_path / "home"
    home.mkdir()
    yield home
    dev(home, "./dev reset")


def dev(home: Path, command: str) -> "subprocess.CompletedProcess[str]":
    env = {key: value for key, value in os.environ.items() if not key.startswith(("BATONPASS_", "DATABASE_"))}
    env["BATONPASS_HOME"] = str(home)
    return subprocess.run(
        ["sh", "-c", command], cwd=ROOT, env=env, capture_output=True, text=True, timeout=180, check=False
    )


def tour() -> list[str]:
    """The tour's commands, one a line."""
    section = (ROOT / "README.md").read_text().split("## Five-minute tour")[1].split("\n## ")[0]
    blocks = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


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
    assert processes_of(home) == []
