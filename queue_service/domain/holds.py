"""Holds: stretches of time in which nothing that they select starts, whatever it waits for otherwise."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from queue_service.domain.handler import Lane

MOST_KNOWN: Final = 10_000
"""Lists of which it is remembered whether they are held."""


@dataclass(frozen=True, slots=True)
class Hold:
    """From `from_at` on and before `until_at`.

    An empty `queue` or `handler` selects all; `handler` is a key of `domain.handler`. Tasks of a level
    (priority and boosts) of at least `allow_priority` start all the same; 0: none does. `source` owns it.
    """

    namespace: str
    source: str
    from_at: datetime
    until_at: datetime
    queue: str = ""
    handler: str = ""
    allow_priority: int = 0
    reason: str = ""

    def keeps(self, lane: Lane, level: int) -> bool:
        """Whether it is about the tasks of a lane and level: either all of a list are held, or none."""
        return (
            self.namespace == lane.namespace
            and self.queue in ("", lane.queue)
            and self.handler in ("", lane.handler_key)
            and not 0 < self.allow_priority <= level
        )

    def __str__(self) -> str:
        """For people who ask why a task waits."""
        allowed = {0: "", 10: " (priority 10 may start)"}.get(
            self.allow_priority, f" (priority {self.allow_priority} and above may start)"
        )
        reason = f": {self.reason}" if self.reason else ""
        return f"held by blackout {self.source} until {self.until_at:%Y-%m-%dT%H:%M:%SZ}{allowed}{reason}"


@dataclass(frozen=True, slots=True)
class InForce:
    """The holds in force from some instant on and before `until`; None: for ever."""

    until: datetime | None = None
    by_namespace: dict[str, list[Hold]] = field(default_factory=dict)
    _known: dict[tuple[str, int], Hold | None] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many they are."""
        return sum(map(len, self.by_namespace.values()))

    def holding(self, lane: str, level: int) -> Hold | None:
        """The hold that keeps a list from being served for longest; None when it may be served."""
        if not self.by_namespace:
            return None
        key = lane, level
        if key not in self._known:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[key] = self._find(Lane.parse(lane), level)
        return self._known[key]

    def _find(self, lane: Lane, level: int) -> Hold | None:
        keeping = [hold for hold in self.by_namespace.get(lane.namespace, ()) if hold.keeps(lane, level)]
        return max(keeping, key=lambda hold: (hold.until_at, hold.source), default=None)


NONE_IN_FORCE = InForce()


def in_force(holds: Iterable[Hold], now: datetime) -> InForce:
    """Those of the holds that are in force at `now`, and until when nothing changes about that."""
    found: defaultdict[str, list[Hold]] = defaultdict(list)
    changes = []
    for hold in holds:
        changes += [at for at in (hold.from_at, hold.until_at) if at > now]
        if hold.from_at <= now < hold.until_at:
            found[hold.namespace].append(hold)
    return InForce(min(changes, default=None), dict(found))
