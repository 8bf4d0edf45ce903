"""When to look at the processes again."""

from typing import Final

FIRST: Final = 0.005
"""Seconds from the start of a command to the first look at it, so that short ones are measured too."""

YOUNG: Final = 0.015
OLD: Final = 0.075
AGE: Final = 0.05
"""Commands younger than this are looked at every 15 ms, older ones every 75 ms."""

SHARE: Final = 15
"""Looking takes at most one part in this many of a core, however many processes the machine has."""

SWEEP_PAUSES: Final = (0.0, 0.002, 0.005, 0.01, 0.02, 0.05)
"""Between two looks while something is being killed."""

NEVER: Final = float("inf")


class Cadence:
    """Plans the next look. Times are seconds of `time.monotonic`."""

    def __init__(self) -> None:
        self.next = NEVER
        self._sweeps = 0

    def started(self, now: float) -> None:
        """A command was started."""
        self.next = min(self.next, now + FIRST)

    def condemned(self, now: float) -> None:
        """A command is to be swept away: look at once."""
        self._sweeps = 0
        self.next = now

    def looked(self, now: float, cost: float, youngest: float | None, sweeping: bool) -> None:
        """A look took `cost` seconds; the youngest command started at `youngest` (None: there is none)."""
        if sweeping:
            self._sweeps += 1
            pause = SWEEP_PAUSES[min(self._sweeps, len(SWEEP_PAUSES) - 1)]
        elif youngest is None:
            pause = NEVER
        else:
            pause = YOUNG if now - youngest < AGE else OLD
        self.next = now + max(pause, cost * SHARE)
