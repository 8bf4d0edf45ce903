"""Reads a pattern."""

import json
from typing import Any, Final

from scheduler_service.domain import strict_json
from scheduler_service.domain.patterns.clauses import Clause, Conjunction, Either, Item, Path
from scheduler_service.domain.patterns.errors import PatternRefused
from scheduler_service.domain.patterns.expressions import expression
from scheduler_service.domain.patterns.operators import Scalar, Test, present, values_of

LONGEST: Final = 16_384
"""Bytes."""

DEEPEST: Final = 16
"""Objects within objects, `$or` included."""

OR: Final = "$or"


def read(text: str) -> Conjunction:
    """The clauses of a JSON object. Raises PatternRefused."""
    if len(text.encode("utf-8", "replace")) > LONGEST:
        raise PatternRefused((), f"is longer than {LONGEST:,} bytes")
    try:
        document = strict_json.read(text, _distinct)
    except PatternRefused:
        raise
    except ValueError as error:
        raise PatternRefused((), f"must be JSON: {error}") from None
    if not isinstance(document, dict):
        raise PatternRefused((), 'must be a JSON object such as {"data": {"state": ["paid"]}}')
    return _object(document, (), 1)


def _object(document: dict[str, Any], path: Path, depth: int) -> Conjunction:
    if depth > DEEPEST:
        raise PatternRefused(path, f"lies deeper than {DEEPEST} levels")
    if not document:
        raise PatternRefused(path, "an empty object says nothing; leave it out")
    items: list[Item] = []
    for name, value in document.items():
        if name == OR:
            items.append(_either(value, path, depth))
        elif isinstance(value, dict):
            items.extend(_object(value, (*path, name), depth + 1))
        else:
            items.append(_clause(value, (*path, name)))
    return tuple(items)


def _either(branches: Any, path: Path, depth: int) -> Either:
    here = (*path, OR)
    if not isinstance(branches, list) or not all(isinstance(branch, dict) for branch in branches):
        raise PatternRefused(here, 'must be a list of objects such as [{"a": [1]}, {"b": [2]}]')
    if len(branches) < 2:
        raise PatternRefused(here, "must have at least two branches")
    read_branches = tuple(_object(branch, path, depth + 1) for branch in branches)
    return Either(path, _text(branches), read_branches)


def _clause(values: Any, path: Path) -> Clause:
    if not isinstance(values, list):
        raise PatternRefused(path, f"must be a list of values, such as [{_text(values)}], or an object")
    if not values:
        raise PatternRefused(path, "an empty list is never met")
    scalars: list[Scalar] = []
    tests: list[Test] = []
    absent = False
    for value in values:
        if isinstance(value, list):
            raise PatternRefused(path, "a list within a list is not allowed")
        if not isinstance(value, dict):
            scalars.append(value)
        elif list(value) == ["exists"]:
            absent |= not _exists(value["exists"], path)
            if value["exists"]:
                tests.append(present)
        else:
            tests.append(expression(value, path))
    wanted = values_of(scalars, tests) if scalars or tests else None
    return Clause(path, _text(values), wanted, absent)


def _exists(operand: Any, path: Path) -> bool:
    if not isinstance(operand, bool):
        raise PatternRefused(path, "exists must be true or false")
    return operand


def _distinct(pairs: strict_json.Pairs) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise PatternRefused((twice,), "stands there twice in one object")
    return document


def _text(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
