"""Names for tasks whose producer gives none."""

import secrets
import uuid
from typing import Final

from service_kit.clock import Clock

_VERSION: Final = 0x7
_VARIANT: Final = 0b10


class TaskIds:
    """Makes UUIDs of version 7 (RFC 9562): they begin with the time, so they sort by it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def new(self) -> str:
        """A new one, with 74 random bits."""
        milliseconds = int(self._clock.now().timestamp() * 1000) & (2**48 - 1)
        high = milliseconds << 16 | _VERSION << 12 | secrets.randbits(12)
        low = _VARIANT << 62 | secrets.randbits(62)
        return str(uuid.UUID(int=high << 64 | low))
