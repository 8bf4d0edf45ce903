"""How long the agent may run what it holds."""

from typing import Final

NEVER: Final = float("-inf")


class Lease:
    """The validity of all leases of the agent, counted from the *sending* of the last acknowledged beat.

    So it always ends before the queue's own count does. Times are seconds of the agent's lease clock. It
    outlives a session: what a broken stream has promised still holds.
    """

    def __init__(self) -> None:
        self.until = NEVER
        self._sent: dict[int, float] = {}
        self._last = 0

    def hello(self, now: float) -> None:
        """A session begins: the Hello is sent, and counts as its first beat."""
        self._sent = {0: now}
        self._last = 0

    def beat(self, now: float) -> int:
        """A beat is sent; returns its number."""
        self._last += 1
        self._sent[self._last] = now
        return self._last

    def acknowledged(self, seq: int, valid_for: float) -> bool:
        """A beat (0: the Hello) was acknowledged for `valid_for` seconds.

        False when none like it was sent.
        """
        sent = self._sent.pop(seq, None)
        if sent is None:
            return False
        self.until = max(self.until, sent + valid_for)
        for older in [one for one in self._sent if one < seq]:
            del self._sent[older]
        return True

    def is_over(self, now: float) -> bool:
        """True when nothing may run any more."""
        return now >= self.until
