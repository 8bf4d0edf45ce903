"""Connections to the services: calls carry the caller and a deadline, and their errors become Failures."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

# The C core writes to stderr by itself otherwise.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import grpc

from batonpass.cli import parse
from batonpass.cli.failure import Failure, Fault, Misuse
from batonpass.cli.faults import Peer, fault
from batonpass.client.channels import open_channel
from batonpass.client.endpoints import Side, endpoint
from batonpass.client.errors import ConfigurationError
from batonpass.options import caller_metadata

if TYPE_CHECKING:
    from batonpass.cli.session import Session

Metadata = tuple[tuple[str, str], ...]


class Connection(NamedTuple):
    """A service and the channel to it."""

    peer: Peer
    channel: grpc.Channel


def connect(name: Side, address: str | None, session: "Session") -> Connection:
    """Opens a channel to the service `name`; nothing is sent before the first call. Raises Misuse."""
    try:
        peer = Peer(name, parse.address(endpoint(name, address)))
        channel = open_channel(peer.address, session.tls)
    except (ConfigurationError, ValueError) as error:
        hint = f"--{name}-address or BATONPASS_{name.upper()} says where the {name} service is."
        raise Misuse(Fault("CONFIGURATION", str(error), service=name, hint=hint)) from None
    metadata = caller_metadata(session.namespace, session.actor)
    calls = Calls(peer, metadata, session.timeout.total_seconds())
    return Connection(peer, grpc.intercept_channel(channel, calls))


@dataclass
class Details(grpc.ClientCallDetails):
    """How a call is made."""

    method: str
    timeout: float | None
    metadata: Metadata
    credentials: grpc.CallCredentials | None
    wait_for_ready: bool | None
    compression: grpc.Compression | None


class Calls(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    """Adds what every call carries; a stream has a deadline only when the caller gives one."""

    def __init__(self, peer: Peer, metadata: Metadata, timeout: float) -> None:
        self._peer = peer
        self._metadata = metadata
        self._timeout = timeout

    def intercept_unary_unary(
        self, continuation: Callable[..., Any], client_call_details: Any, request: Any
    ) -> Any:
        timeout = self._timeout if client_call_details.timeout is None else client_call_details.timeout
        call = continuation(self._details(client_call_details, timeout), request)
        error = call.exception()
        if isinstance(error, grpc.RpcError):
            raise self._failure(error, client_call_details.method) from None
        return call

    def intercept_unary_stream(
        self, continuation: Callable[..., Any], client_call_details: Any, request: Any
    ) -> Any:
        call = continuation(self._details(client_call_details, client_call_details.timeout), request)
        return self._messages(call, client_call_details.method)

    def _messages(self, call: Any, method: str) -> Iterator[Any]:
        try:
            yield from call
        except grpc.RpcError as error:
            raise self._failure(error, method) from None
        finally:
            call.cancel()

    def _details(self, given: Any, timeout: float | None) -> Details:
        return Details(
            given.method, timeout, self._metadata, given.credentials, given.wait_for_ready, given.compression
        )

    def _failure(self, error: grpc.RpcError, method: str) -> Failure:
        return Failure(fault(error, self._peer, method))
