"""How an executor takes its offers: one that wants none must not starve others."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from queue_service.domain.lease import Ref

FIRST_REST: Final = timedelta(milliseconds=250)
LONGEST_REST: Final = timedelta(seconds=10)


def rest_after(declines: int) -> timedelta:
    """How long an executor is left alone after `declines` refusals in a row (1 = first).

    Doubles from 0.25 s up to 10 s. Raises ValueError if `declines` < 1.
    """
    if declines < 1:
        raise ValueError(f"declines {declines}: must be at least 1")
    return min(LONGEST_REST, FIRST_REST * 2.0 ** min(declines - 1, 16))


class Willingness:
    """What a session's answers say. Times are seconds of any clock that only goes forward."""

    def __init__(self) -> None:
        self._declines = 0
        self._rests_until = 0.0
        self._owed: set[Ref] = set()

    def may_be_offered(self, now: float) -> bool:
        """False while it rests after a refusal, or owes an answer about an offer that was revoked."""
        return not self._owed and now >= self._rests_until

    def took(self, refs: Iterable[Ref]) -> None:
        """It has started or ended work."""
        self._declines, self._rests_until = 0, 0.0
        self._owed.difference_update(refs)

    def declined(self, refs: Iterable[Ref], now: float) -> None:
        """It does not want offers."""
        self._declines += 1
        self._rests_until = now + rest_after(self._declines).total_seconds()
        self._owed.difference_update(refs)

    def answered(self, refs: Iterable[Ref]) -> None:
        """It has confirmed that it gives revoked offers back, or they are settled otherwise."""
        self._owed.difference_update(refs)

    def ignored(self, refs: Iterable[Ref]) -> None:
        """It let the time to answer offers pass."""
        self._owed.update(refs)
