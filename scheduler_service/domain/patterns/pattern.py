"""A pattern, ready to be held against many events."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from scheduler_service.domain.document import values
from scheduler_service.domain.patterns.clauses import Conjunction, count_ways, ways
from scheduler_service.domain.patterns.errors import PatternRefused
from scheduler_service.domain.patterns.parse import read
from scheduler_service.domain.patterns.tree import Branch, tree

MOST_WAYS: Final = 100
"""Combinations of the branches of `$or`, which multiply; each is tried in turn."""

MOST_LEAVES: Final = 2_048
"""Of all combinations together; as many as a pattern of 16 KiB may have without `$or`."""

MOST_STEPS: Final = 500_000
"""Tests of one value: they take up to 50 ms, or 100 ms where each is of an address."""

CHARACTERS: Final = 64
"""Of a text that count as one value."""

MOST_VALUES: Final = 132_000
"""More than an event of 256 KiB can hold."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """`items` as they were written, and every way to meet them."""

    items: Conjunction
    ways: tuple[Branch, ...]
    cost: int
    """Steps that matching takes for each value in an event, at most."""


@lru_cache(maxsize=4096)
def parse(text: str) -> Pattern:
    """The pattern that a JSON object describes. Raises PatternRefused."""
    items = read(text)
    count, leaves = count_ways(items)
    if count > MOST_WAYS:
        rule = f"its $or and exists false make {count:,} combinations, at most {MOST_WAYS} are allowed"
        raise PatternRefused((), rule)
    if leaves > MOST_LEAVES:
        rule = f"its {count:,} combinations have {leaves:,} clauses, at most {MOST_LEAVES:,} are allowed"
        raise PatternRefused((), rule)
    trees = tuple(tree(way) for way in ways(items))
    return Pattern(items, trees, sum(each.cost for each in trees))


def match(pattern: Pattern, event: Mapping[str, Any]) -> bool:
    """Whether the event, a JSON object, meets it. One that would take more than MOST_STEPS does not."""
    return not takes_more(pattern, event, MOST_STEPS) and any(way.met_by(event) for way in pattern.ways)


def takes_more(pattern: Pattern, event: Mapping[str, Any], steps: int) -> bool:
    """Whether matching may take more than so many steps."""
    left = steps // pattern.cost
    if left >= MOST_VALUES:
        return False
    for value in values(event):
        left -= 1 + len(value) // CHARACTERS if type(value) is str else 1
        if left < 0:
            return True
    return False
