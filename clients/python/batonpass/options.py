"""What every end of a Batonpass connection agrees on: channel options, deadlines, caller metadata.

Client and server options belong together: a client that pings more often than its server allows is cut
off with GOAWAY (`too_many_pings`), and without `grpc.http2.ping_timeout_ms` a peer that was stopped
(not closed) is never noticed, whatever `grpc.keepalive_timeout_ms` says.
"""

from datetime import timedelta
from typing import Final
from urllib.parse import quote, unquote

Options = tuple[tuple[str, int | str], ...]

MAX_REQUEST_BYTES: Final = 1024 * 1024
"""The largest message a service accepts."""

MAX_RESPONSE_BYTES: Final = 4 * 1024 * 1024
"""The largest message a client accepts."""

DEFAULT_DEADLINE: Final = timedelta(seconds=10)
"""Deadline of a unary call whose caller names none; services refuse unary calls without one."""

_KEEPALIVE: Final = (
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.ping_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_metadata_size", 16 * 1024),
    ("grpc.absolute_max_metadata_size", 16 * 1024),
)

CLIENT_OPTIONS: Final[Options] = (
    *_KEEPALIVE,
    ("grpc.max_receive_message_length", MAX_RESPONSE_BYTES),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 5_000),
)

SERVER_OPTIONS: Final[Options] = (
    *_KEEPALIVE,
    ("grpc.max_receive_message_length", MAX_REQUEST_BYTES),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    # A port that is taken is an error, not a second listener that gets half of the calls.
    ("grpc.so_reuseport", 0),
)

NAMESPACE_KEY: Final = "batonpass-namespace"
ACTOR_KEY: Final = "batonpass-actor"
DEFAULT_NAMESPACE: Final = "default"
DEFAULT_ACTOR: Final = "anonymous"


def caller_metadata(
    namespace: str = DEFAULT_NAMESPACE, actor: str = DEFAULT_ACTOR
) -> tuple[tuple[str, str], tuple[str, str]]:
    """The two metadata entries of a call.

    `namespace` matches `^[a-z0-9][a-z0-9-]{0,62}$`, `actor` is free text of at most 128 characters. The actor
    travels percent-encoded, because metadata carries ASCII only; plain words look the same in both forms.
    """
    return (NAMESPACE_KEY, namespace), (ACTOR_KEY, quote(actor, safe=" @:/+,;=()[]"))


def actor_from_metadata(value: str) -> str:
    """The inverse of the encoding in `caller_metadata`; text that was never encoded comes back as it is."""
    return unquote(value)
