"""Durations as people read and write them."""

from datetime import timedelta
from typing import Final

_UNITS: Final = {
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}


def spelled(length: timedelta) -> str:
    """`1h`, `1d2h30m`, `250ms`: what settings accept; `0s` below a millisecond, and for what is negative."""
    words = []
    for unit, size in _UNITS.items():
        count, length = divmod(max(length, timedelta(0)), size)
        if count:
            words.append(f"{count}{unit}")
    return "".join(words) or "0s"
