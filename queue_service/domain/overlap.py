"""Overlap: what becomes of a fire while tasks of its schedule are still in the queue.

*In the way* of a fire is every task of its schedule that has not ended, whatever queue it is in and whichever
policy brought it there. A task is *buffered* while it waits for those before it (it is not `ready`), *held*
while an agent has been offered it or runs it.

| policy | nothing in the way | something in the way |
|---|---|---|
| SKIP | enqueue, ready | keep out; names the oldest in the way |
| BUFFER_ONE | enqueue, ready | as BUFFER_ALL, unless one is buffered: keep out; names the oldest buffered |
| BUFFER_ALL | enqueue, ready | enqueue behind all of it |
| ALLOW_ALL | enqueue, ready | enqueue, ready |
| CANCEL_OTHER | enqueue, ready | cancel all of it with grace, enqueue behind those that are held |
| TERMINATE_OTHER | enqueue, ready | as CANCEL_OTHER, without grace |

The policy is the fire's, not the schedule's, so any mix is defined: how those in the way came does not count.
A buffered task is ready when all that was in its way has ended. A cancel ends what is not held at once, also
what is buffered; what is held ends when its agent says so, and until then it is in the way. So a fire that
replaces a replacement cancels that, and waits for the same held tasks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final, TypeAlias, assert_never

Schedule: TypeAlias = tuple[str, str]
"""Namespace and schedule_id."""


class Overlap(IntEnum):
    """The policies; the numbers are those of the wire."""

    SKIP = 1
    BUFFER_ONE = 2
    BUFFER_ALL = 3
    CANCEL_OTHER = 4
    TERMINATE_OTHER = 5
    ALLOW_ALL = 6


REPLACING: Final = frozenset({Overlap.CANCEL_OTHER, Overlap.TERMINATE_OTHER})
"""They end what is in the way."""

BUFFERING: Final = REPLACING | {Overlap.BUFFER_ONE, Overlap.BUFFER_ALL}
"""They may have to wait for what is in the way."""


@dataclass(frozen=True, slots=True)
class Fire:
    """A fire to be judged."""

    task_id: str
    schedule: Schedule
    policy: Overlap
    known: bool = False
    """Its verdict was given before, so it is neither judged nor counted again."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What of a schedule is in the queue: the oldest task, the oldest buffered one, and all that are held.

    `held` counts only for fires that replace what is in the way; it is in the order of arrival.
    """

    oldest: str | None = None
    buffered: str | None = None
    held: tuple[str, ...] = ()


NOTHING: Final = Standing()


@dataclass(frozen=True, slots=True)
class Enqueue:
    """Take it in. `ready` is false behind others; with `sequenced` it waits in its schedule's sequence.

    `replaces`: what was in the way at its turn is to be cancelled. `replaced_by` names the fire after it that
    has done this to it already, so that it ends as soon as it is stored.
    """

    ready: bool = True
    sequenced: bool = False
    replaces: bool = False
    replaced_by: str | None = None


@dataclass(frozen=True, slots=True)
class Skip:
    """Keep it out, because `by` is still in the queue."""

    by: str


Judgement: TypeAlias = Enqueue | Skip


def judge(fires: Sequence[Fire], standings: Mapping[Schedule, Standing]) -> list[Judgement]:
    """One judgement for each fire, in the order given: earlier fires stand in the way of later ones.

    A schedule that is missing in `standings` has nothing in the queue.
    """
    now = dict(standings)
    judgements: list[Judgement] = []
    fresh: dict[Schedule, dict[int, Enqueue]] = {}
    for place, fire in enumerate(fires):
        if fire.known:
            judgements.append(Enqueue())
            continue
        before = now.get(fire.schedule, NOTHING)
        judgement = _judge_one(fire, before)
        judgements.append(judgement)
        if isinstance(judgement, Skip):
            continue
        now[fire.schedule] = _after(fire, judgement, before)
        taken = fresh.setdefault(fire.schedule, {})
        if judgement.replaces:
            for other, said in taken.items():
                judgements[other] = replace(said, ready=True, replaced_by=fire.task_id)
            taken.clear()
        taken[place] = judgement
    return judgements


def _judge_one(fire: Fire, standing: Standing) -> Judgement:
    match fire.policy:
        case Overlap.SKIP:
            return Enqueue() if standing.oldest is None else Skip(standing.oldest)
        case Overlap.BUFFER_ONE if standing.buffered is not None:
            return Skip(standing.buffered)
        case Overlap.BUFFER_ONE | Overlap.BUFFER_ALL:
            return Enqueue(ready=standing.oldest is None, sequenced=True)
        case Overlap.CANCEL_OTHER | Overlap.TERMINATE_OTHER:
            return Enqueue(ready=not standing.held, sequenced=True, replaces=True)
        case Overlap.ALLOW_ALL:
            return Enqueue()
        case _:
            assert_never(fire.policy)


def _after(fire: Fire, judgement: Enqueue, before: Standing) -> Standing:
    """What is in the queue when the fire has been taken in."""
    buffered = None if judgement.ready else fire.task_id
    if judgement.replaces:
        oldest = before.held[0] if before.held else fire.task_id
        return Standing(oldest, buffered, before.held)
    return Standing(before.oldest or fire.task_id, before.buffered or buffered, before.held)
