"""Selection: which waiting task starts where. Decides only; claims and offers come later."""

from collections import defaultdict
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from operator import attrgetter

from queue_service.domain.admission import Admit, Use, fits
from queue_service.domain.handler import Lane
from queue_service.domain.limits import Limits, Need
from queue_service.domain.order import Candidate, merge


@dataclass(frozen=True, slots=True)
class Room:
    """What one executor can take: `handler_keys` it runs, and how many offers (`credit`) it may be sent."""

    executor: int
    handler_keys: Set[str]
    limits: Limits
    use: Use
    credit: int


@dataclass(frozen=True, slots=True)
class Placement:
    """A task and the executor it is to be offered to."""

    candidate: Candidate
    executor: int


@lru_cache(maxsize=10_000)
def handler_key(lane: str) -> str:
    """What an executor must run to serve a lane."""
    return Lane.parse(lane).handler_key


def choose(
    lists: Iterable[Sequence[Candidate]], rooms: Iterable[Room], threshold: timedelta, limit: int
) -> list[Placement]:
    """Up to `limit` placements, most urgent first, each within what its executor has left.

    Every list holds one lane and level, sorted by (order_at, task); lists and rooms are of one namespace. A
    task that fits nowhere is passed over, and with it every other one of its lane that declares as much, so
    that it holds back nobody. Among the executors that fit, the one is taken that the task fills best by the
    dominant resource; tasks that declare nothing go where most slots are free.
    """
    floor = _Floor(rooms)
    placements: list[Placement] = []
    if limit < 1:
        return placements
    for candidate in merge(lists, threshold, floor.closed):
        executor = floor.place(candidate)
        if executor is not None:
            placements.append(Placement(candidate, executor))
            if len(placements) == limit:
                break
    return placements


class _Stand:
    """One executor's room while it fills up."""

    __slots__ = ("cpu", "executor", "memory", "slots")

    def __init__(self, room: Room) -> None:
        self.executor = room.executor
        self.slots = min(room.credit, room.limits.max_tasks - room.use.tasks)
        self.cpu = room.limits.max_cpu - room.use.cpu
        self.memory = room.limits.max_memory - room.use.memory

    def fits(self, cpu: int, memory: int) -> bool:
        """The same rule as `admission.fits`, on what is left; slots apart."""
        return (not cpu or cpu <= self.cpu) and (not memory or memory <= self.memory)

    def rank(self, cpu: int, memory: int) -> tuple[int, int, int]:
        """Smaller is better: least left of the dominant resource, then most slots."""
        left = self.cpu - cpu if cpu >= memory else self.memory - memory
        return left, -self.slots, self.executor

    def take(self, cpu: int, memory: int) -> None:
        self.slots -= 1
        self.cpu -= cpu
        self.memory -= memory


_SLOTS = attrgetter("slots")


class _Floor:
    """All executors while they fill up; `closed` are the lanes that nobody has a slot for."""

    def __init__(self, rooms: Iterable[Room]) -> None:
        self.closed: set[str] = set()
        self._refused: set[tuple[str, int, int]] = set()
        self._full = 0
        self._by_lane: dict[str, tuple[int, list[_Stand]]] = {}
        self._by_handler: defaultdict[str, list[_Stand]] = defaultdict(list)
        for room in rooms:
            stand = _Stand(room)
            if stand.slots > 0:
                for key in room.handler_keys:
                    self._by_handler[key].append(stand)

    def place(self, candidate: Candidate) -> int | None:
        """The executor that takes it, None when nobody does."""
        lane, cpu, memory = candidate.lane, candidate.cpu, candidate.memory
        shape = (lane, cpu, memory)
        if shape in self._refused:
            return None
        stand = self._best(self._stands(lane), cpu, memory)
        if stand is None:
            self._refused.add(shape)
            return None
        stand.take(cpu, memory)
        self._full += not stand.slots
        return stand.executor

    def _best(self, stands: list[_Stand], cpu: int, memory: int) -> _Stand | None:
        if not cpu and not memory:
            return max(stands, key=_SLOTS, default=None)
        fitting = [stand for stand in stands if stand.fits(cpu, memory)]
        return min(fitting, key=lambda stand: stand.rank(cpu, memory), default=None)

    def _stands(self, lane: str) -> list[_Stand]:
        """Executors of the lane that have slots left; closes the lane when there are none."""
        full, stands = self._by_lane.get(lane) or (-1, self._by_handler.get(handler_key(lane), []))
        if full != self._full:
            stands = [stand for stand in stands if stand.slots > 0]
            self._by_lane[lane] = self._full, stands
            if not stands:
                self.closed.add(lane)
        return stands


def has_room(room: Room, need: Need) -> bool:
    """Whether a task that declares `need` could be offered to the executor now."""
    return room.credit > 0 and isinstance(fits(room.use, room.limits, need), Admit)
