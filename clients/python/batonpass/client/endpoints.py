"""Where the services are, and whether a connection to them is safe."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from batonpass.client.errors import ConfigurationError
from batonpass.targets import is_loopback

Side = Literal["scheduler", "queue"]

_VARIABLE: Final[Mapping[Side, str]] = {"scheduler": "BATONPASS_SCHEDULER", "queue": "BATONPASS_QUEUE"}
_FILE: Final = "endpoints.json"


@dataclass(frozen=True)
class TlsFiles:
    """PEM files: the authorities to trust, and, for mutual TLS, the client's own certificate and key."""

    ca: Path
    cert: Path | None = None
    key: Path | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> "TlsFiles | None":
        """The files that BATONPASS_TLS_CA, _CERT and _KEY name; None when the first is not set."""
        ca, cert, key = (environ.get(f"BATONPASS_TLS_{part}") for part in ("CA", "CERT", "KEY"))
        return cls(Path(ca), Path(cert) if cert else None, Path(key) if key else None) if ca else None

    def read(self) -> tuple[bytes, bytes | None, bytes | None]:
        """(ca, cert, key). Raises ConfigurationError naming the file that cannot be read."""
        if (self.cert is None) != (self.key is None):
            raise ConfigurationError("a TLS certificate and its key belong together: give both or neither")
        try:
            cert = self.cert.read_bytes() if self.cert else None
            key = self.key.read_bytes() if self.key else None
            return self.ca.read_bytes(), cert, key
        except OSError as error:
            raise ConfigurationError(f"TLS file {error.filename}: {error.strerror}") from None


def endpoint(side: Side, given: str | None = None, environ: Mapping[str, str] = os.environ) -> str:
    """The target of a service: `HOST:PORT`, or several replicas as in `batonpass.targets`.

    In this order: `given`, the variable BATONPASS_SCHEDULER or BATONPASS_QUEUE, `endpoints.json` in
    BATONPASS_HOME, or, when that is not set, in the nearest `.batonpass` from the working directory
    upwards that has one. Raises ConfigurationError saying what to set.
    """
    found = given or environ.get(_VARIABLE[side])
    if found:
        return found
    file = _file(environ)
    found = _from_file(file, side)
    if found:
        return found
    raise ConfigurationError(
        f"no {side} endpoint is known: give {side}=HOST:PORT, set {_VARIABLE[side]},"
        f" or start one with `./dev up` (looked in {file})"
    )


def _file(environ: Mapping[str, str]) -> Path:
    home = environ.get("BATONPASS_HOME")
    if home:
        return Path(home) / _FILE
    here = Path.cwd()
    files = [folder / ".batonpass" / _FILE for folder in (here, *here.parents)]
    return next(filter(Path.exists, files), files[0])


def _from_file(path: Path, side: Side) -> str | None:
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"cannot read {path}: {error}") from None
    found = content.get(side) if isinstance(content, dict) else None
    if found is not None and not isinstance(found, str):
        raise ConfigurationError(f"{path}: `{side}` must be text such as 127.0.0.1:7070")
    return found


def require_safe(target: str, tls: TlsFiles | None) -> None:
    """Raises ConfigurationError for plaintext to another machine."""
    if tls is None and not is_loopback(target):
        raise ConfigurationError(
            f"{target} is not on this machine: a connection to it needs TLS. Give tls=TlsFiles(ca=...)"
            " or set BATONPASS_TLS_CA (and _CERT, _KEY)"
        )
