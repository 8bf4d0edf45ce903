"""Mutual TLS between the parts, and the rule for doing without.

Plaintext is for development: it must be asked for, and it never leaves the machine.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from batonpass.options import CLIENT_OPTIONS
from batonpass.targets import is_loopback

from service_kit.logs import logger
from service_kit.settings import SettingsError

log = logger(__name__)


@dataclass(frozen=True)
class TlsFiles:
    """PEM files of one part: its certificate chain, its key, and the authorities it trusts."""

    cert: Path
    key: Path
    ca: Path

    def read(self) -> tuple[bytes, bytes, bytes]:
        """(cert, key, ca). Raises SettingsError naming the file that cannot be read."""
        try:
            return self.cert.read_bytes(), self.key.read_bytes(), self.ca.read_bytes()
        except OSError as error:
            raise SettingsError(f"TLS file {error.filename}: {error.strerror}") from None

    def fingerprint(self) -> tuple[int, ...]:
        """Changes when any of the files does."""
        return tuple(path.stat().st_mtime_ns for path in (self.cert, self.key, self.ca))


def tls_files(cert: Path | None, key: Path | None, ca: Path | None) -> TlsFiles | None:
    """The three together, or None when none is given. Raises SettingsError when some are missing."""
    if cert and key and ca:
        return TlsFiles(cert, key, ca)
    if cert or key or ca:
        raise SettingsError("--tls-cert, --tls-key and --tls-ca belong together: give all three")
    return None


def server_credentials(files: TlsFiles) -> grpc.ServerCredentials:
    """Credentials that demand a client certificate and follow the files when they are replaced.

    The files are looked at whenever a connection is made; a broken replacement is logged and the old one
    stays.
    """
    first = _certificates(files)
    state = [files.fingerprint()]

    def fetch() -> Any:
        try:
            now = files.fingerprint()
            if now == state[0]:
                return None
            fresh = _certificates(files)
        except (OSError, SettingsError) as error:
            log.warning("TLS files not reloaded", reason=str(error))
            return None
        state[0] = now
        log.info("TLS files reloaded", cert=str(files.cert))
        return fresh

    return grpc.dynamic_ssl_server_credentials(first, fetch, require_client_authentication=True)


def channel_credentials(files: TlsFiles) -> grpc.ChannelCredentials:
    """Credentials of a client that shows its own certificate."""
    cert, key, ca = files.read()
    return grpc.ssl_channel_credentials(root_certificates=ca, private_key=key, certificate_chain=cert)


def open_channel(address: str, files: TlsFiles | None, insecure_dev: bool) -> grpc.aio.Channel:
    """A channel with the house options. Raises SettingsError for plaintext where it is not allowed."""
    if files is not None:
        return grpc.aio.secure_channel(address, channel_credentials(files), options=CLIENT_OPTIONS)
    require_plaintext_allowed(address, insecure_dev)
    return grpc.aio.insecure_channel(address, options=CLIENT_OPTIONS)


def require_plaintext_allowed(address: str, insecure_dev: bool) -> None:
    """Raises SettingsError, which says what to do, unless plaintext is asked for and on loopback."""
    if not is_loopback(address):
        raise SettingsError(
            f"{address} is reachable from other machines: it needs TLS (--tls-cert, --tls-key, --tls-ca;"
            " `batonpass certs init` makes a development authority)"
        )
    if not insecure_dev:
        raise SettingsError(
            f"{address} without TLS needs --insecure-dev (loopback only);"
            " or give --tls-cert, --tls-key and --tls-ca"
        )


def _certificates(files: TlsFiles) -> grpc.ServerCertificateConfiguration:
    cert, key, ca = files.read()
    return grpc.ssl_server_certificate_configuration([(key, cert)], root_certificates=ca)
