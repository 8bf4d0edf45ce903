"""What follows an attempt that did not end well."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Final

from queue_service.domain.states import Category

MOST_LOSSES: Final = 3
"""Executors that may vanish under one chain of attempts before the task is taken for their killer."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a failed task is tried, and how long it waits in between."""

    name: str
    attempts: int
    first: timedelta
    longest: timedelta


POLICIES: Final[Mapping[str, RetryPolicy]] = MappingProxyType(
    {
        policy.name: policy
        for policy in (
            RetryPolicy("standard", 5, timedelta(seconds=1), timedelta(seconds=60)),
            RetryPolicy("none", 1, timedelta(seconds=1), timedelta(seconds=1)),
            RetryPolicy("aggressive", 3, timedelta(seconds=1), timedelta(seconds=2)),
        )
    }
)


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again after `delay`."""

    delay: timedelta


@dataclass(frozen=True, slots=True)
class Bury:
    """No further attempt: the task is DEAD, for this reason."""

    reason: str


def retry_delay(policy: RetryPolicy, failures: int, jitter: float) -> timedelta:
    """Wait before the next attempt, after `failures` failed ones (1 = first failure).

    The ceiling doubles from `policy.first` up to `policy.longest`: 1 s, 2 s, 4 s, ... 60 s. Full jitter: the
    result is uniform in (0, ceiling], `jitter` in [0, 1) picks the point, so a batch that failed together
    does not return together. Raises ValueError if `failures` < 1 or `jitter` is outside of [0, 1).
    """
    if failures < 1:
        raise ValueError(f"failures must be at least 1, not {failures}")
    if not 0 <= jitter < 1:
        raise ValueError(f"jitter must be in [0, 1), not {jitter}")
    # Beyond 2**32 every ceiling is reached; the cap keeps the arithmetic in range.
    ceiling = min(policy.longest, policy.first * 2.0 ** min(failures - 1, 32))
    return max(timedelta(milliseconds=1), ceiling * (1 - jitter))


def after_failure(
    policy: RetryPolicy, failures: int, category: Category, *, non_retryable: bool, jitter: float
) -> Retry | Bury:
    """What follows the `failures`-th failure of a chain, this one included.

    REJECTED and what the handler calls non-retryable would fail the same way again.
    """
    if category is Category.REJECTED:
        return Bury("the executor refused to run it")
    if non_retryable:
        return Bury("the handler said that another attempt would fail too")
    if failures >= policy.attempts:
        return Bury(f"failed {_times(failures)}, as often as retry policy {policy.name!r} allows")
    return Retry(retry_delay(policy, failures, jitter))


def after_loss(losses: int) -> Retry | Bury:
    """What follows the `losses`-th vanished executor of a chain, this one included: at once, or never."""
    if losses >= MOST_LOSSES:
        return Bury(f"executor lost {_times(losses)}")
    return Retry(timedelta(0))


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"
