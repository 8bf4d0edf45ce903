"""The end of a command's output."""

from typing import Final

LIMIT: Final = 16 * 1024
"""Most bytes of UTF-8 that are kept, which is what the contract takes."""


class Tail:
    """Keeps the last `limit` bytes of a stream."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._kept = bytearray()

    def feed(self, data: bytes) -> None:
        """Takes in more output."""
        self._kept += data[-self._limit :]
        excess = len(self._kept) - self._limit
        if excess > 0:
            del self._kept[:excess]

    def content(self) -> bytes:
        """What is kept, as it was written."""
        return bytes(self._kept)


def text(content: bytes, limit: int = LIMIT) -> str:
    """Output as text of at most `limit` bytes of UTF-8.

    Bytes that are no UTF-8 become U+FFFD, and so does NUL, which databases do not store; a character that
    the limit cuts through is left out.
    """
    decoded = content.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
    encoded = decoded.encode()
    if len(encoded) <= limit:
        return decoded
    return encoded[-limit:].decode("utf-8", "ignore")
