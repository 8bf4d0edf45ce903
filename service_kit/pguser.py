"""Who PostgreSQL runs as, and where that user can reach its files.

PostgreSQL refuses to run as root. For root it runs as `nobody`, who cannot enter folders that only their
owner can enter (root's home, a private checkout): then its files live in a folder of their own elsewhere.
"""

import hashlib
import os
import pwd
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any


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
    """`wanted` when `user` can enter it, else a folder that belongs to it and stays the same for ever.

    Creates it, for everybody to enter and for nobody to list.
    """
    wanted = wanted.resolve()
    wanted.mkdir(parents=True, exist_ok=True)
    if user.uid is None:
        return wanted
    wanted.chmod(0o711)
    if user.can_enter(wanted):
        return wanted
    digest = hashlib.sha256(str(wanted).encode()).hexdigest()[:12]
    home = shared_base() / f"{wanted.name}-{digest}"
    home.mkdir(mode=0o711, exist_ok=True)
    home.chmod(0o711)
    return home


def shared_base() -> Path:
    """A folder of ours that every user can enter: it outlives a restart where that can be had."""
    for parent, name in ((Path("/var/lib"), "batonpass"), (Path("/tmp"), f"batonpass-{os.geteuid()}")):  # noqa: S108
        base = parent / name
        try:
            base.mkdir(mode=0o755, exist_ok=True)
        except OSError:
            continue
        # Below /tmp anybody could have put a folder or a link there first.
        if base.lstat().st_uid == os.geteuid() and not base.is_symlink() and os.access(base, os.W_OK):
            base.chmod(0o755)
            return base
    base = Path(tempfile.mkdtemp(prefix="batonpass-"))
    base.chmod(0o755)
    return base
