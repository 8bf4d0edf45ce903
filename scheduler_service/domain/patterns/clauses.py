"""What a pattern says, as it was written: clauses all of which must be met."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, product

from scheduler_service.domain.patterns.operators import Values
from scheduler_service.domain.patterns.tree import Leaf

Path = tuple[str, ...]
Placed = tuple[Path, Leaf]


@dataclass(frozen=True, slots=True)
class Clause:
    """A field with one of `values`, or, when `absent`, without any."""

    path: Path
    text: str
    values: Values | None
    absent: bool

    @property
    def leaves(self) -> list[Leaf]:
        """Meeting any of them is meeting the clause."""
        wanted = [] if self.values is None else [Leaf(self.values)]
        return [*wanted, Leaf(None)] if self.absent else wanted


@dataclass(frozen=True, slots=True)
class Either:
    """`$or`, standing in the object at `path`: one of the branches, each a conjunction."""

    path: Path
    text: str
    branches: "tuple[Conjunction, ...]"


Item = Clause | Either
Conjunction = tuple[Item, ...]


def count_ways(items: Conjunction) -> tuple[int, int]:
    """In how many ways the choices of a conjunction can be made, and how many leaves these have in all."""
    ways, leaves = 1, 0
    for item in items:
        more, each = _count_choices(item)
        ways, leaves = ways * more, leaves * more + each * ways
    return ways, leaves


def _count_choices(item: Item) -> tuple[int, int]:
    if isinstance(item, Clause):
        return len(item.leaves), len(item.leaves)
    counts = [count_ways(branch) for branch in item.branches]
    return sum(ways for ways, _ in counts), sum(leaves for _, leaves in counts)


def ways(items: Conjunction) -> Iterator[list[Placed]]:
    """Every way to make its choices."""
    for choice in product(*(_choices(item) for item in items)):
        yield list(chain.from_iterable(choice))


def _choices(item: Item) -> Sequence[list[Placed]]:
    if isinstance(item, Clause):
        return [[(item.path, leaf)] for leaf in item.leaves]
    return [way for branch in item.branches for way in ways(branch)]
