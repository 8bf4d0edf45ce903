"""Priority: bands for people, and the level that orders tasks and rises while they wait."""

from datetime import datetime, timedelta
from enum import IntEnum
from typing import Final

LOWEST: Final = 1
HIGHEST: Final = 10
DEFAULT: Final = 5
MOST_BOOST: Final = 20
"""Levels that boosts may add in all; keeps the number of FIFO lists per lane bounded."""


class Band(IntEnum):
    """A range of priorities; the numbers are those of the wire."""

    LOW = 1
    NORMAL = 2
    IMPORTANT = 3
    CRITICAL = 4


def band(priority: int) -> Band:
    """1-4 low, 5-6 normal, 7-8 important, 9-10 critical. Raises ValueError outside of 1 to 10."""
    if not LOWEST <= priority <= HIGHEST:
        raise ValueError(f"priority must be {LOWEST} to {HIGHEST}, not {priority}")
    if priority <= 4:
        return Band.LOW
    if priority <= 6:
        return Band.NORMAL
    return Band.IMPORTANT if priority <= 8 else Band.CRITICAL


def effective_level(level: int, order_at: datetime, now: datetime, threshold: timedelta) -> float:
    """What tasks are ordered by: `level` (priority + boost) plus waiting time / threshold.

    Continuous and without a cap, so that nothing that waits is overtaken for ever. Waiting counts from
    `order_at`; before it the level is the plain one. Raises ValueError unless `threshold` is positive.
    """
    if threshold <= timedelta(0):
        raise ValueError("threshold must be positive")
    waited = max(timedelta(0), now - order_at)
    return level + waited / threshold


def shown_level(level: int, order_at: datetime, now: datetime, threshold: timedelta) -> int:
    """The effective level as people see it: rounded down, at most 10."""
    return min(HIGHEST, int(effective_level(level, order_at, now, threshold)))


def may_boost(boost: int, boosted_at: datetime | None, now: datetime, threshold: timedelta) -> bool:
    """Whether a starving task may be raised again: once per elapsed threshold, `MOST_BOOST` levels in all."""
    return boost < MOST_BOOST and (boosted_at is None or now - boosted_at >= threshold)
