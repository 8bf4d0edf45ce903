"""How long to wait before connecting again."""

from typing import Final

_FIRST: Final = 0.1
_LONGEST: Final = 2.0
"""Well below a lease, so that work survives a short outage."""


def backoff(failures: int, jitter: float) -> float:
    """Seconds after `failures` failed sessions in a row: 0.1 s, doubling up to 2 s; `jitter` in [0, 1)
    picks the point in the upper half, so that the agents of a fleet do not come back in step.
    """
    return min(_LONGEST, _FIRST * 2.0 ** min(failures, 16)) * (0.5 + jitter / 2)
