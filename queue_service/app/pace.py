"""Pace: how often a read may happen, by what it costs."""

import time
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from typing import Final

SHARE: Final = 0.05
"""Of the time, for one kind of read."""

REMEMBERED: Final = 4


class Pace:
    """Lets cheap work happen whenever it is asked for, and dear work seldom.

    Never more often than every `least`, and never so often that it takes more than SHARE of the time: a read
    that takes 7 s, because an old snapshot keeps millions of dead rows visible, then runs every 140 s. What
    it costs is the shortest of the last few times: a single long one was kept waiting by something else.
    """

    def __init__(
        self, least: timedelta = timedelta(0), monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._least = least.total_seconds()
        self._monotonic = monotonic
        self._began = self._not_before = monotonic()
        self._took: deque[float] = deque(maxlen=REMEMBERED)

    def wait(self) -> float:
        """Seconds until the work may begin; 0 = now."""
        return max(0.0, self._not_before - self._monotonic())

    def begin(self) -> None:
        """The work begins."""
        self._began = self._monotonic()

    def end(self) -> None:
        """The work has ended, well or not."""
        now = self._monotonic()
        self._took.append(now - self._began)
        self._not_before = max(self._began + self._least, now + min(self._took) * (1 / SHARE - 1))
