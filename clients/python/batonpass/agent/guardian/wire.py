"""Frames between agent and guardian: two lengths, a JSON object, bytes that JSON could not hold.

    [4 bytes: length of the JSON][4 bytes: length of the rest][JSON][rest]

Agent to guardian, by `op`:
    start  id, argv, env (added to the guardian's own), timeout (seconds); the rest is the command's stdin
    stop   id, grace (seconds): SIGTERM, then SIGKILL
    lease  until (seconds of CLOCK_BOOTTIME): everything is stopped then, unless another one comes before
    watch  on: whether the agent itself runs handlers, and must be killed when it still does after the lease
Guardian to agent:
    ended  id and the fields of `Ended`; the rest is the output's tail
"""

import json
import struct
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

_LENGTHS: Final = struct.Struct("!II")

Frame = tuple[dict[str, Any], bytes]


def frame(header: dict[str, Any], rest: bytes = b"") -> bytes:
    """One frame, ready to be written."""
    head = json.dumps(header, separators=(",", ":")).encode()
    return _LENGTHS.pack(len(head), len(rest)) + head + rest


class Frames:
    """Cuts a stream of bytes into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Takes in what has been read; yields the frames that are complete."""
        self._buffer += data
        while len(self._buffer) >= _LENGTHS.size:
            head, rest = _LENGTHS.unpack_from(self._buffer)
            start, end = _LENGTHS.size + head, _LENGTHS.size + head + rest
            if len(self._buffer) < end:
                return
            header = json.loads(self._buffer[_LENGTHS.size : start])
            body = bytes(self._buffer[start:end])
            del self._buffer[:end]
            yield header, body


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended.

    `exit_code` is that of its first process, minus the signal's number when a signal ended it. `stopped`
    says why the guardian stopped it (`timeout`, `asked`, `lease`; empty: it did not). `cpu_seconds` and
    `peak_bytes` are of the whole process tree, `duration` (seconds) of the first process. `error` is set
    when nothing could be started.
    """

    exit_code: int
    stopped: str
    cpu_seconds: float
    peak_bytes: int
    duration: float
    error: str = ""

    def header(self, key: int) -> dict[str, Any]:
        """The frame's JSON for the command `key`."""
        return {"op": "ended", "id": key, **asdict(self)}

    @classmethod
    def of(cls, header: dict[str, Any]) -> "Ended":
        """The inverse of `header`."""
        return cls(**{name: header[name] for name in cls.__slots__})
