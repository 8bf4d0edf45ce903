"""How many offers to ask for."""

from typing import Final

MOST_SLOTS: Final = 1024
"""Attempts at a time of an agent that was given no number; the queue's own limit is what bounds it, as a
rule.
"""

_SMALLEST_WINDOW: Final = 4


class Credit:
    """Keeps the credit at the queue equal to the free slots and a small prefetch.

    Without a `concurrency` of its own the agent takes what the queue's limit allows, also when that is
    raised later: then the window (the limit at the start of the session) is granted anew as it is used.
    """

    def __init__(self, concurrency: int | None) -> None:
        self._slots = concurrency or MOST_SLOTS
        self._window = concurrency or _SMALLEST_WINDOW
        self._follows_limit = concurrency is None
        self._outstanding = 0

    def begin(self, max_tasks: int) -> None:
        """A session begins, with no credit and this limit in force."""
        self._outstanding = 0
        if self._follows_limit:
            self._window = min(MOST_SLOTS, max(_SMALLEST_WINDOW, max_tasks))

    def used(self, offers: int) -> None:
        """Offers have come."""
        self._outstanding = max(0, self._outstanding - offers)

    def free_slots(self, running: int) -> int:
        """How many attempts may be started."""
        return self._slots - running

    def top_up(self, running: int, pending: int) -> int:
        """Credit to grant now, 0 for none; counts as granted.

        Small steps are left to grow, unless none is left.
        """
        room = min(self._window, max(0, self._slots - running)) + max(1, self._window // 8)
        lacking = room - pending - self._outstanding
        if lacking < 1 or (self._outstanding > 0 and lacking < room // 4):
            return 0
        self._outstanding += lacking
        return lacking
