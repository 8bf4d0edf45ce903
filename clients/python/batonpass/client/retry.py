"""When to repeat a call, as arithmetic."""

from dataclasses import dataclass
from datetime import timedelta

from batonpass.client.errors import BatonpassError, Unavailable


@dataclass(frozen=True)
class Retry:
    """At most `tries` tries; the wait before the next one doubles from `first` up to `longest`."""

    tries: int = 5
    first: timedelta = timedelta(milliseconds=100)
    longest: timedelta = timedelta(seconds=2)


def pause(
    retry: Retry, failures: int, error: BatonpassError, time_left: float, jitter: float
) -> float | None:
    """Seconds to wait before repeating a repeatable call, or None to give up.

    Only Unavailable is repeated, and only when an answer can still arrive within `time_left` seconds.
    `failures` is the number of failed tries (1 = first). The wait lies in the upper half of its ceiling
    (0.1 s, 0.2 s, 0.4 s ...), `jitter` in [0, 1) picks the point; it is never shorter than what the service
    asked for.
    """
    if not isinstance(error, Unavailable) or failures >= retry.tries:
        return None
    ceiling = min(retry.longest, retry.first * 2.0 ** (failures - 1)).total_seconds()
    wait = ceiling * (0.5 + jitter / 2)
    if error.retry_after is not None:
        wait = max(wait, error.retry_after.total_seconds())
    return wait if wait < time_left else None
