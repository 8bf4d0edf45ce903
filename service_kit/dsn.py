"""Addresses of PostgreSQL, as people write them for libpq, understood by asyncpg."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg

DEFAULT_CONNECT_TIMEOUT: Final = 5.0

_SCHEME = re.compile(r"^(postgres|postgresql)(\+\w+)?$")

# libpq knows these, asyncpg would send them to the server as settings, which refuses them.
_IGNORED: Final = frozenset(
    {
        "channel_binding", "gssencmode", "keepalives", "keepalives_count", "keepalives_idle",
        "keepalives_interval", "load_balance_hosts", "requirepeer", "sslcompression", "sslsni",
        "tcp_user_timeout",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Dsn:
    """Where a database is and how to log in; its text shows no password.

    `url` is what asyncpg takes, `connect_timeout` is in seconds.
    """

    url: str
    connect_timeout: float

    async def connect(self, settings: Mapping[str, str] | None = None) -> "asyncpg.Connection[Any]":
        """Opens a connection of its own, outside any pool; `settings` are session settings of the server."""
        return await asyncpg.connect(
            self.url, timeout=self.connect_timeout, server_settings=dict(settings or {})
        )

    def __str__(self) -> str:
        return without_password(self.url)

    def __repr__(self) -> str:
        return f"Dsn({self})"


def database_url(url: "str | Dsn") -> Dsn:
    """Reads a libpq URL (`postgresql://user:password@host:port/database?sslmode=require&connect_timeout=5`).

    A driver in the scheme (`postgresql+psycopg://`) is accepted and ignored, `connect_timeout` (seconds,
    default 5) is honoured, TLS options are asyncpg's own, options that only libpq knows are dropped,
    everything else is a session setting of the server. Raises ValueError when it is no such URL; the text
    shows no password.
    """
    if isinstance(url, Dsn):
        return url
    parts = urlsplit(url)
    if not _SCHEME.match(parts.scheme):
        raise ValueError("a database URL looks like postgresql://user:password@host:port/database")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    timeout = _seconds(options.pop("connect_timeout", ""))
    kept = {name: value for name, value in options.items() if name not in _IGNORED}
    clean = urlunsplit(("postgresql", parts.netloc, parts.path, urlencode(kept), ""))
    return Dsn(clean, timeout)


def without_password(url: str) -> str:
    """The same URL with `***` for the password, for logs and messages."""
    return re.sub(r"(?<=[?&]password=)[^&]*", "***", re.sub(r"(://[^:/?#]*):.*@", r"\1:***@", url))


def _seconds(text: str) -> float:
    """libpq: whole seconds; nothing, zero and less mean no limit of their own, here our default."""
    try:
        return float(text) if text and float(text) > 0 else DEFAULT_CONNECT_TIMEOUT
    except ValueError:
        raise ValueError(f"connect_timeout is a number of seconds, not {text!r}") from None
