"""One way to meet a pattern, laid out like the documents that it is held against.

A document's arrays stand for their elements: a leaf is met when any element meets it, and everything below a
field that is an array of objects must be met within one and the same element. A leaf that demands absence is
read after the choice of elements; where nothing else below its field chooses one, no element may have it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from scheduler_service.domain.patterns.operators import Values

MISSING: Final = object()
"""What a document has where it has nothing."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A field with one of `values`; None: without any value, be it that it is missing, an object or empty."""

    values: Values | None

    @property
    def wants(self) -> bool:
        """Whether it wants a value to be there."""
        return self.values is not None

    @property
    def cost(self) -> int:
        """Steps for one value."""
        return 1 if self.values is None else 1 + len(self.values.tests)

    def meets(self, value: Any) -> bool:
        """`value` is anything JSON can hold, or MISSING."""
        values = self.values
        if type(value) is list:
            if values is None:
                return all(type(each) is dict for each in elements(value))
            return any(type(each) is not dict and values.meets(each) for each in elements(value))
        if value is MISSING or type(value) is dict:
            return values is None
        return values is not None and values.meets(value)


@dataclass(frozen=True, slots=True)
class Branch:
    """An object all of whose `fields` are met. A name may stand there twice."""

    fields: tuple[tuple[str, "Leaf | Branch"], ...]
    wants: bool
    """Whether anything below wants a value to be there."""

    @property
    def cost(self) -> int:
        """Steps for each value in a document, at most."""
        return sum(child.cost for _, child in self.fields)

    def meets(self, value: Any) -> bool:
        """`value` is anything JSON can hold, or MISSING."""
        if type(value) is dict:
            return self.met_by(value)
        if type(value) is not list:
            return not self.wants
        objects = (each for each in elements(value) if type(each) is dict)
        if self.wants:
            return any(self.met_by(each) for each in objects)
        return all(self.met_by(each) for each in objects)

    def met_by(self, document: Mapping[str, Any]) -> bool:
        """Whether one object meets it."""
        return all(child.meets(document.get(name, MISSING)) for name, child in self.fields)


def elements(array: Sequence[Any]) -> Iterable[Any]:
    """The elements of an array and of the arrays in it, in order."""
    return _spread(array) if list in map(type, array) else array


def _spread(array: Sequence[Any]) -> Iterator[Any]:
    # Not recursive: nesting may be deep.
    pending = [iter(array)]
    while pending:
        for each in pending[-1]:
            if type(each) is list:
                pending.append(iter(each))
                break
            yield each
        else:
            pending.pop()


def tree(leaves: Sequence[tuple[Sequence[str], Leaf]]) -> Branch:
    """The branch with those leaves, each at its path, which is not empty."""
    fields: list[tuple[str, Leaf | Branch]] = []
    below: dict[str, list[tuple[Sequence[str], Leaf]]] = {}
    for path, leaf in leaves:
        if len(path) == 1:
            fields.append((path[0], leaf))
        else:
            below.setdefault(path[0], []).append((path[1:], leaf))
    fields.extend((name, tree(rest)) for name, rest in below.items())
    return Branch(tuple(fields), any(child.wants for _, child in fields))
