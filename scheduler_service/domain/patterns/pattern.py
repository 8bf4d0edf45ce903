"""A pattern, ready to be held against many events."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from scheduler_service.domain.patterns.clauses import Conjunction, count_ways, ways
from scheduler_service.domain.patterns.errors import PatternRefused
from scheduler_service.domain.patterns.parse import read
from scheduler_service.domain.patterns.tree import Branch, tree

MOST_WAYS: Final = 100
"""Combinations of the branches of `$or`, which multiply; each is tried in turn."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """`items` as they were written, and every way to meet them."""

    items: Conjunction
    ways: tuple[Branch, ...]


@lru_cache(maxsize=4096)
def parse(text: str) -> Pattern:
    """The pattern that a JSON object describes. Raises PatternRefused."""
    items = read(text)
    count = count_ways(items)
    if count > MOST_WAYS:
        raise PatternRefused((), f"its $or make {count:,} combinations, at most {MOST_WAYS} are allowed")
    return Pattern(items, tuple(tree(way) for way in ways(items)))


def match(pattern: Pattern, event: Mapping[str, Any]) -> bool:
    """Whether the event, a JSON object, meets it."""
    return any(way.met_by(event) for way in pattern.ways)
