"""Overlap: what becomes of a fire while tasks of its schedule are still in the queue."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import assert_never


class Overlap(IntEnum):
    """The policies; the numbers are those of the wire."""

    SKIP = 1
    BUFFER_ALL = 3
    ALLOW_ALL = 6


@dataclass(frozen=True, slots=True)
class Fire:
    """A fire to be judged; `key` names its schedule, `sequence` the line that BUFFER_ALL puts it in."""

    task_id: str
    schedule: tuple[str, str]
    sequence: tuple[str, str, str]
    policy: Overlap
    known: bool = False
    """Its verdict was given before, so it is neither judged nor counted again."""


@dataclass(frozen=True, slots=True)
class Enqueue:
    """Take it in; `ready` is false behind another task of its sequence."""

    ready: bool = True
    sequenced: bool = False


@dataclass(frozen=True, slots=True)
class Skip:
    """Keep it out, because `by` is still in the queue."""

    by: str


def judge(
    fires: Sequence[Fire],
    live: Mapping[tuple[str, str], str],
    lines: frozenset[tuple[str, str, str]],
) -> list[Enqueue | Skip]:
    """One verdict for each fire, in the order given: earlier fires stand in the way of later ones.

    `live` maps schedules to one of their tasks that have not ended (the oldest), `lines` are the sequences
    that have such a task.
    """
    in_the_way, busy = dict(live), set(lines)
    verdicts: list[Enqueue | Skip] = []
    for fire in fires:
        verdict = Enqueue() if fire.known else _judge_one(fire, in_the_way.get(fire.schedule), busy)
        if isinstance(verdict, Enqueue) and not fire.known:
            in_the_way.setdefault(fire.schedule, fire.task_id)
            if verdict.sequenced:
                busy.add(fire.sequence)
        verdicts.append(verdict)
    return verdicts


def _judge_one(fire: Fire, blocking: str | None, busy: set[tuple[str, str, str]]) -> Enqueue | Skip:
    match fire.policy:
        case Overlap.SKIP:
            return Enqueue() if blocking is None else Skip(blocking)
        case Overlap.BUFFER_ALL:
            return Enqueue(ready=fire.sequence not in busy, sequenced=True)
        case Overlap.ALLOW_ALL:
            return Enqueue()
        case _:
            assert_never(fire.policy)
