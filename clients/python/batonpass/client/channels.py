"""Opens channels with the house options. grpc is imported by the first one."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from batonpass.client.endpoints import TlsFiles, require_safe
from batonpass.options import CLIENT_OPTIONS

if TYPE_CHECKING:
    import grpc
    import grpc.aio

Option = tuple[str, int | str]


def open_channel(target: str, tls: TlsFiles | None) -> "grpc.Channel":
    """A channel for blocking calls. Raises ConfigurationError for plaintext to another machine."""
    import grpc

    require_safe(target, tls)
    if tls is None:
        return grpc.insecure_channel(target, options=CLIENT_OPTIONS)
    return grpc.secure_channel(target, _credentials(tls), options=CLIENT_OPTIONS)


def open_aio_channel(target: str, tls: TlsFiles | None, extra: Iterable[Option] = ()) -> "grpc.aio.Channel":
    """A channel for asyncio, of the running loop.

    Raises ConfigurationError for plaintext to another machine.
    """
    import grpc.aio

    require_safe(target, tls)
    options = (*CLIENT_OPTIONS, *extra)
    if tls is None:
        return grpc.aio.insecure_channel(target, options=options)
    return grpc.aio.secure_channel(target, _credentials(tls), options=options)


def _credentials(tls: TlsFiles) -> "grpc.ChannelCredentials":
    import grpc

    ca, cert, key = tls.read()
    return grpc.ssl_channel_credentials(root_certificates=ca, private_key=key, certificate_chain=cert)
