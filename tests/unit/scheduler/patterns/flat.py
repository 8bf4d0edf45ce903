"""A second reading of content patterns: fields laid flat, combined by brute force. Shares no matching code.

A document is a set of (path, scalar, place in each array of objects that it lies in); arrays in an array are
one with it. A pattern is met when each clause can be given a field of its path so that no two fields lie in
different objects of one array, and when nothing that agrees with them has a path whose absence is demanded.
"""

from collections.abc import Iterator
from itertools import chain, count, product
from typing import Any, NamedTuple


class Field(NamedTuple):
    path: tuple[str, ...]
    value: Any
    places: dict[int, int]


def flatten(document: dict[str, Any]) -> list[Field]:
    numbers = count()

    def walk(value: Any, path: tuple[str, ...], places: dict[int, int]) -> Iterator[Field]:
        if isinstance(value, dict):
            for name, inner in value.items():
                yield from walk(inner, (*path, name), places)
        elif isinstance(value, list):
            array = next(numbers)
            for place, inner in enumerate(spread(value)):
                yield from walk(inner, path, places | {array: place} if isinstance(inner, dict) else places)
        else:
            yield Field(path, value, places)

    return list(walk(document, (), {}))


def spread(value: Any) -> list[Any]:
    """The elements of an array and of the arrays in it."""
    return [each for inner in value for each in spread(inner)] if isinstance(value, list) else [value]


Demand = tuple[tuple[str, ...], Any]
"""A path, and an item of a list in a pattern."""


def demands(pattern: dict[str, Any], path: tuple[str, ...] = ()) -> list[list[Demand]]:
    """Every way to choose one item of each list and one branch of each `$or`."""
    choices: list[list[list[Demand]]] = []
    for name, value in pattern.items():
        if name == "$or":
            choices.append([way for branch in value for way in demands(branch, path)])
        elif isinstance(value, dict):
            choices.append(demands(value, (*path, name)))
        else:
            choices.append([[((*path, name), item)] for item in value])
    return [list(chain.from_iterable(choice)) for choice in product(*choices)]


def accepts(item: Any, value: Any) -> bool:
    """Only what the property test uses: scalars, exists and anything-but a list."""
    if isinstance(item, dict):
        ((name, operand),) = item.items()
        if name == "exists":
            return True
        return not any(accepts(each, value) for each in operand)
    if isinstance(item, bool) or isinstance(value, bool) or item is None or value is None:
        return item is value
    return bool(item == value)


def agree(fields: tuple[Field, ...], other: Field) -> bool:
    return all(
        field.places.get(array, place) == place for field in fields for array, place in other.places.items()
    )


def matches(pattern: dict[str, Any], document: dict[str, Any]) -> bool:
    fields = flatten(document)
    for way in demands(pattern):
        absent = [path for path, item in way if item == {"exists": False}]
        wanted = [(path, item) for path, item in way if item != {"exists": False}]
        candidates = [
            [field for field in fields if field.path == path and accepts(item, field.value)]
            for path, item in wanted
        ]
        for chosen in product(*candidates):
            if any(not agree(chosen[:place], field) for place, field in enumerate(chosen)):
                continue
            if not any(field.path in absent and agree(chosen, field) for field in fields):
                return True
    return False
