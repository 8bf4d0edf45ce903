"""Who PostgreSQL runs as, and where that user can reach its files.

PostgreSQL refuses to run as root. For root it runs as `nobody`, who cannot enter folders that only their
owner can enter (root's home, a private checkout): then its files live in a folder of their own elsewhere.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final


@dataclass(frozen=True)
class PostgresUser:
    """The user and group ids to switch to, or None for both: stay who we are."""

    uid: int | None = None
    gid: int | None = None

    def arguments(self) -> dict[str, Any]:
        """What `subprocess` needs to run a program as this user."""
        if self.uid is None:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def can_enter(self, folder: Path) -> bool:
        """True when this user can reach what is in `folder`, whatever modes or ACLs decide it."""
        if self.uid is None:
            return os.access(folder, os.X_OK)
        test = ["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)]
        done = subprocess.run(test, cwd="/", capture_output=True, check=False, **self.arguments())
        return done.returncode == 0

    def give(self, path: Path) -> None:
        """Makes this user the owner of `path`."""
        if self.uid is not None:
            os.chown(path, self.uid, self.gid or 0)


def postgres_user() -> PostgresUser:
    """`nobody` for root, ourselves for anybody else."""
    if os.geteuid() != 0:
        return PostgresUser()
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        return PostgresUser(65534, 65534)
    return PostgresUser(entry.pw_uid, entry.pw_gid)


def home_for(wanted: Path, user: PostgresUser) -> Path:
    """`wanted` when `user` can enter it, else a folder elsewhere, which `wanted/home` remembers.

    Creates it, for everybody to enter and for nobody to list.
    """
    wanted = wanted.resolve()
    wanted.mkdir(parents=True, exist_ok=True)
    if user.uid is None:
        return wanted
    wanted.chmod(0o711)
    if user.can_enter(wanted):
        return wanted
    note = wanted / "home"
    home = Path(note.read_text().strip()) if note.exists() else None
    if home is None or not _belongs_to(home, wanted):
        home = Path(
            tempfile.mkdtemp(prefix=f"{wanted.name}-", dir=shared_base(below_temp=_is_temporary(wanted)))
        )
        home.chmod(0o711)
    home.joinpath(_OWNER).write_text(f"{wanted}\n")
    note.write_text(f"{home}\n")
    return home


def shared_base(below_temp: bool = False) -> Path:
    """A folder of ours that every user can enter; it outlives a restart where that can be had.

    `below_temp` asks for the one in the system's folder for temporary files, where what belongs to folders
    that are gone is deleted.
    """
    temporary = Path(tempfile.gettempdir()) / f"batonpass-{os.geteuid()}"
    for base in (temporary,) if below_temp else (Path("/var/lib/batonpass"), temporary):
        try:
            base.mkdir(mode=0o755, exist_ok=True)
        except OSError:
            continue
        # In a folder for all, anybody could have put a folder or a link there first.
        if base.lstat().st_uid == os.geteuid() and not base.is_symlink() and os.access(base, os.W_OK):
            base.chmod(0o755)
            if base == temporary:
                _sweep(base)
            return base
    base = Path(tempfile.mkdtemp(prefix="batonpass-"))
    base.chmod(0o755)
    return base


_OWNER: Final = "owner"


def _is_temporary(path: Path) -> bool:
    return path.is_relative_to(Path(tempfile.gettempdir()).resolve())


def _belongs_to(home: Path, wanted: Path) -> bool:
    """False for the home of a folder that was copied, and lives on where it was copied from."""
    try:
        owner = Path(home.joinpath(_OWNER).read_text().strip())
    except OSError:
        return False
    return owner == wanted or not owner.exists()


def _sweep(base: Path) -> None:
    """Deletes homes whose owner is gone and where no server runs."""
    for note in base.glob(f"*/{_OWNER}"):
        home = note.parent
        if not Path(note.read_text().strip()).exists() and not home.joinpath("data/postmaster.pid").exists():
            shutil.rmtree(home, ignore_errors=True)
