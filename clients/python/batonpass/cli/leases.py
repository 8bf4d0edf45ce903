"""The lease tokens that `task execute` was given, kept for `task extend` and `task complete`.

One file a lease, readable by its owner only, below `leases/` of the state directory.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple


class Key(NamedTuple):
    """Which task a lease is for."""

    namespace: str
    queue: str
    task_id: str


class Leases:
    """The leases remembered below one directory, which need not exist."""

    def __init__(self, state: Path) -> None:
        self._folder = state / "leases"

    def remember(self, key: Key, token: int, expires_at: str | None) -> None:
        """Keeps the token of a lease, in place of an older one for the same task. Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        content = {**key._asdict(), "lease_token": token, "lease_expires_at": expires_at}
        # A temporary file has mode 0600 from its first moment.
        with tempfile.NamedTemporaryFile("w", dir=self._folder, delete=False) as file:
            json.dump(content, file)
        os.replace(file.name, self._path(key))

    def token(self, key: Key) -> int | None:
        """The token of the lease; None when none is remembered."""
        try:
            return int(json.loads(self._path(key).read_text())["lease_token"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def forget(self, key: Key) -> None:
        """Drops the token of a lease that is over."""
        self._path(key).unlink(missing_ok=True)

    def _path(self, key: Key) -> Path:
        """Ids hold characters that file names do not, hence a digest."""
        digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()
        return self._folder / f"{digest[:32]}.json"


def state_directory(environ: Mapping[str, str], here: Path, home: Path) -> Path:
    """BATONPASS_HOME; else `.batonpass` of the working directory, if any; else the user's state directory."""
    given = environ.get("BATONPASS_HOME")
    if given:
        return Path(given)
    local = here / ".batonpass"
    if local.is_dir():
        return local
    return Path(environ.get("XDG_STATE_HOME") or home / ".local" / "state") / "batonpass"


def own_leases() -> Leases:
    """Those of whoever runs the command line."""
    return Leases(state_directory(os.environ, Path.cwd(), Path.home()))
