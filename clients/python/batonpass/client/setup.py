"""What both clients are set up with."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from batonpass.client.endpoints import Side, TlsFiles, endpoint
from batonpass.client.errors import ConfigurationError
from batonpass.options import DEFAULT_ACTOR, DEFAULT_DEADLINE, DEFAULT_NAMESPACE, caller_metadata


@dataclass(frozen=True)
class Setup:
    """Endpoints as given (None: look them up), who calls, and how long a unary call may take in all."""

    scheduler: str | None = None
    queue: str | None = None
    namespace: str | None = None
    actor: str | None = None
    tls: TlsFiles | None = None
    timeout: timedelta = DEFAULT_DEADLINE

    def target(self, side: Side) -> str:
        """The endpoint of a service. Raises ConfigurationError when none is known."""
        return endpoint(side, self.scheduler if side == "scheduler" else self.queue)

    def tls_files(self) -> TlsFiles | None:
        """As given, or as the environment says."""
        return self.tls or TlsFiles.from_environment()

    def metadata(self, environ: Mapping[str, str] = os.environ) -> tuple[tuple[str, str], ...]:
        """Who calls: as given, or by BATONPASS_NAMESPACE and BATONPASS_ACTOR."""
        namespace = self.namespace or environ.get("BATONPASS_NAMESPACE") or DEFAULT_NAMESPACE
        actor = self.actor or environ.get("BATONPASS_ACTOR") or DEFAULT_ACTOR
        return caller_metadata(namespace, actor)


def closed() -> ConfigurationError:
    """The error of a client that is used after its end."""
    return ConfigurationError("the client is closed")
