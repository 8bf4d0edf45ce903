"""The order of waiting tasks: FIFO lists, one for each lane and level, merged by effective level.

A task's effective level is `level + (now - order_at) / threshold` (see `domain.priority`). Between two
waiting tasks `now` cancels out, so the order is that of `order_at - level * threshold`: nothing is rewritten
when tasks age or when the threshold changes.
"""

import heapq
from collections.abc import Iterable, Iterator, Sequence, Set
from datetime import datetime, timedelta
from typing import NamedTuple


class Candidate(NamedTuple):
    """A waiting task as a buffer remembers it; may be out of date, which its claim finds out.

    The first two fields are its place in its list, so that candidates of one list sort by themselves.
    `cpu` and `memory` are in hundredths of a percent of a host.
    """

    order_at: datetime
    task: int
    version: int
    lane: str
    level: int
    cpu: int
    memory: int


def urgency(candidate: Candidate, threshold: timedelta) -> tuple[datetime, int]:
    """What tasks of all lists are ordered by, smallest first; ties by id, which is the order of arrival."""
    return candidate.order_at - threshold * candidate.level, candidate.task


def merge(
    lists: Iterable[Sequence[Candidate]], threshold: timedelta, closed: Set[str] = frozenset()
) -> Iterator[Candidate]:
    """All candidates, most urgent first.

    Each list holds one lane and level, sorted by (order_at, task). The caller may add lanes to `closed` while
    it iterates: what is left of them is not looked at, so that the cost is that of the candidates returned.
    """
    heads = [
        (*urgency(waiting[0], threshold), number, 0, waiting)
        for number, waiting in enumerate(lists)
        if waiting and waiting[0].lane not in closed
    ]
    heapq.heapify(heads)
    while heads:
        _, _, number, place, waiting = heads[0]
        if waiting[0].lane in closed:
            heapq.heappop(heads)
            continue
        yield waiting[place]
        place += 1
        if place < len(waiting):
            heapq.heapreplace(heads, (*urgency(waiting[place], threshold), number, place, waiting))
        else:
            heapq.heappop(heads)
