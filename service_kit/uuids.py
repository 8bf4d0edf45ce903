"""Ids that the services make themselves."""

import secrets
import uuid
from datetime import datetime


def uuid7(now: datetime) -> str:
    """A UUID of version 7 (RFC 9562): sorts by the millisecond of `now`, random beyond it."""
    number = (int(now.timestamp() * 1000) << 80) | secrets.randbits(80)
    number = number & ~(0xF << 76) | (0x7 << 76)
    number = number & ~(0x3 << 62) | (0x2 << 62)
    return str(uuid.UUID(int=number))
