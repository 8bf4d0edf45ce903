"""Times in which silence proves nothing, because nobody could be heard."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

LARGEST_JUMP: Final = timedelta(seconds=2)
"""How much the clock may differ from the monotonic one between two looks."""


class Quiet:
    """Begins at the first look, after a break between looks, and when the clock jumps; lasts for `length`.

    Breaks longer than `longest_break` count: the process was stopped, or the database was away.
    """

    def __init__(
        self,
        length: timedelta,
        longest_break: timedelta,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._length = length.total_seconds()
        self._longest_break = longest_break.total_seconds()
        self._monotonic = monotonic
        self._since: float | None = None
        self._looked: tuple[datetime, float] | None = None

    def look(self, now: datetime) -> bool:
        """Notes a look at `now` that could see everybody; True when silence counts."""
        seconds = self._monotonic()
        if self._since is None or self._is_broken(now, seconds):
            self._since = seconds
        self._looked = now, seconds
        return seconds - self._since >= self._length

    def _is_broken(self, now: datetime, seconds: float) -> bool:
        assert self._looked is not None
        before, seconds_before = self._looked
        passed = seconds - seconds_before
        return passed > self._longest_break or abs(now - before - timedelta(seconds=passed)) > LARGEST_JUMP
