"""The TypeScript client with its packages, in the state folder: the checkout stays free of `node_modules`."""

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "clients" / "typescript"
NO_NETWORK = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ENETUNREACH", "ETIMEDOUT", "ENOTCACHED")


class NpmProject:
    """A copy of `clients/typescript` beside a link to `protos`, as in the checkout, with its packages.

    The packages are installed once for each lock file; the sources are copied anew each time.
    """

    def __init__(self, home: Path) -> None:
        lock = (SOURCE / "package-lock.json").read_bytes() + (SOURCE / "package.json").read_bytes()
        self.home = home / hashlib.sha256(lock).hexdigest()[:12]
        self.folder = self.home / "clients" / "typescript"

    def prepare(self) -> None:
        """Installs what is missing; skips the test when the registry cannot be reached."""
        self._copy_sources()
        if not (self.folder / "node_modules" / ".package-lock.json").exists():
            self._install()

    def run(
        self, *command: str, env: dict[str, str] | None = None, check: bool = True
    ) -> "subprocess.CompletedProcess[str]":
        """Runs a command in the folder, with the programs of its packages on PATH."""
        path = f"{self.folder / 'node_modules' / '.bin'}:{os.environ['PATH']}"
        done = run(command, self.folder, {**os.environ, **(env or {}), "PATH": path})
        assert done.returncode == 0 or not check, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
        return done

    def _copy_sources(self) -> None:
        for left in ("src", "gen", "dist"):
            shutil.rmtree(self.folder / left, ignore_errors=True)
        shutil.copytree(
            SOURCE, self.folder, ignore=shutil.ignore_patterns("node_modules", "dist"), dirs_exist_ok=True
        )
        protos = self.home / "protos"
        protos.unlink(missing_ok=True)
        protos.symlink_to(ROOT / "protos")

    def _install(self) -> None:
        done = run(("npm", "ci", "--ignore-scripts"), self.folder, dict(os.environ))
        if done.returncode and any(word in done.stderr for word in NO_NETWORK):
            pytest.skip(
                f"npm cannot install the packages, it reaches no registry: {done.stderr.strip()[:200]}"
            )
        assert done.returncode == 0, done.stderr


@contextmanager
def npm_project() -> Iterator[NpmProject]:
    """The prepared project, held by one test process at a time; skips where node or npm is missing."""
    missing = [program for program in ("node", "npm") if shutil.which(program) is None]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not on PATH")
    home = Path(os.environ.get("BATONPASS_HOME") or ROOT / ".batonpass") / "npm"
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        project = NpmProject(home)
        project.prepare()
        yield project


def run(command: Sequence[str], folder: Path, env: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False
    )
