"""Reads what stands in place of a value: an operator and its operand."""

import re
from collections.abc import Callable, Sequence
from ipaddress import ip_network
from typing import Any, Final

from scheduler_service.domain.glob import Glob, glob
from scheduler_service.domain.patterns import operators
from scheduler_service.domain.patterns.errors import PatternRefused
from scheduler_service.domain.patterns.operators import Number, Test, values_of

Path = Sequence[str]
_IGNORE_CASE: Final = "equals-ignore-case"
_LOWER: Final = (">", ">=")
_UPPER: Final = ("<", "<=")


def expression(document: dict[str, Any], path: Path) -> Test:
    """The test of an object such as `{"prefix": "a"}`, `exists` apart. Raises PatternRefused."""
    if len(document) != 1:
        raise PatternRefused(path, 'an operator stands alone in its object, such as {"prefix": "a"}')
    ((name, operand),) = document.items()
    reader = _OPERATORS.get(name)
    if reader is None:
        known = ", ".join(sorted([*_OPERATORS, "exists"]))
        raise PatternRefused(path, f"there is no operator {name!r}; there are {known}")
    return reader(operand, path)


def _exactly(operand: Any, path: Path) -> Test:
    return values_of([_string(operand, "exactly", path)]).meets


def _prefix(operand: Any, path: Path) -> Test:
    if isinstance(operand, dict):
        return operators.prefix_ignore_case(_ignoring_case(operand, "prefix", path))
    return operators.prefix(_string(operand, "prefix", path))


def _suffix(operand: Any, path: Path) -> Test:
    if isinstance(operand, dict):
        return operators.suffix_ignore_case(_ignoring_case(operand, "suffix", path))
    return operators.suffix(_string(operand, "suffix", path))


def _equals_ignore_case(operand: Any, path: Path) -> Test:
    return operators.equals_ignore_case(_string(operand, _IGNORE_CASE, path))


def _wildcard(operand: Any, path: Path) -> Test:
    return operators.wildcard(_glob(_string(operand, "wildcard", path), path))


def _cidr(operand: Any, path: Path) -> Test:
    text = _string(operand, "cidr", path)
    try:
        return operators.cidr(ip_network(text, strict=False))
    except ValueError:
        raise PatternRefused(path, f"{text!r} is no range of addresses such as 10.0.0.0/8") from None


def _numeric(operand: Any, path: Path) -> Test:
    """`[op, number]`, or a lower and an upper bound."""
    rule = 'numeric must be a list such as ["=", 5], ["<", 10] or [">", 0, "<=", 5]'
    if not isinstance(operand, list) or len(operand) not in (2, 4):
        raise PatternRefused(path, rule)
    names, numbers = operand[::2], operand[1::2]
    if not all(_is_number(number) for number in numbers):
        raise PatternRefused(path, rule)
    if names == ["="]:
        return values_of(numbers).meets
    if len(names) == 1 and names[0] in _LOWER:
        return operators.numeric(numbers[0], None, with_low=names[0] == ">=", with_high=False)
    if len(names) == 1 and names[0] in _UPPER:
        return operators.numeric(None, numbers[0], with_low=False, with_high=names[0] == "<=")
    if len(names) == 2 and names[0] in _LOWER and names[1] in _UPPER:
        return _between(names, numbers, path)
    raise PatternRefused(path, rule)


def _between(names: list[str], numbers: list[Number], path: Path) -> Test:
    (low, high), with_low, with_high = numbers, names[0] == ">=", names[1] == "<="
    if low > high or (low == high and not (with_low and with_high)):
        raise PatternRefused(path, f"no number lies between {low} and {high} as numeric demands")
    return operators.numeric(low, high, with_low=with_low, with_high=with_high)


def _anything_but(operand: Any, path: Path) -> Test:
    if not isinstance(operand, dict):
        return operators.anything_but([_unlike(operand, path)])
    if len(operand) == 1:
        ((name, texts),) = operand.items()
        if name in _EXCLUDED:
            return operators.anything_but(_each(_EXCLUDED[name], name, texts, path))
    raise PatternRefused(path, f"anything-but takes values, or one of {', '.join(_EXCLUDED)}")


def _unlike(operand: Any, path: Path) -> Test:
    values = operand if isinstance(operand, list) else [operand]
    if not values or not (
        all(isinstance(value, str) for value in values) or all(_is_number(value) for value in values)
    ):
        raise PatternRefused(path, "anything-but takes a text, a number, or a list of either, not of both")
    return values_of(values).meets


def _each(reader: Callable[[Any, Path], Test], name: str, texts: Any, path: Path) -> list[Test]:
    given = texts if isinstance(texts, list) else [texts]
    if not given:
        raise PatternRefused(path, f"anything-but {name} takes a text or a list of texts")
    for text in given:
        if not isinstance(text, str) or not text:
            raise PatternRefused(path, f"anything-but {name} takes texts that are not empty")
    return [reader(text, path) for text in given]


def _ignoring_case(operand: dict[str, Any], name: str, path: Path) -> str:
    if list(operand) != [_IGNORE_CASE]:
        raise PatternRefused(path, f'{name} takes a text or {{"{_IGNORE_CASE}": text}}')
    return _string(operand[_IGNORE_CASE], _IGNORE_CASE, path)


def _string(operand: Any, name: str, path: Path) -> str:
    if not isinstance(operand, str):
        raise PatternRefused(path, f"{name} takes a text")
    return operand


def _is_number(value: Any) -> bool:
    return type(value) is int or type(value) is float


_PIECE: Final = re.compile(r"\*|\\[*\\]|[^*\\]+|\\")


def _glob(text: str, path: Path) -> Glob:
    r"""Parts between the wildcards; `\*` and `\\` are the characters themselves."""
    parts, last = [""], ""
    for piece in _PIECE.findall(text):
        if piece == "\\":
            raise PatternRefused(path, rf"wildcard: a backslash escapes * or \ only: {text!r}")
        if piece == "*" == last:
            raise PatternRefused(path, "wildcard: two * in a row are one; write one")
        if piece == "*":
            parts.append("")
        else:
            parts[-1] += piece[-1] if piece.startswith("\\") else piece
        last = piece
    return glob(parts)


_OPERATORS: Final[dict[str, Callable[[Any, Path], Test]]] = {
    "anything-but": _anything_but,
    "cidr": _cidr,
    "equals-ignore-case": _equals_ignore_case,
    "exactly": _exactly,
    "numeric": _numeric,
    "prefix": _prefix,
    "suffix": _suffix,
    "wildcard": _wildcard,
}

_EXCLUDED: Final[dict[str, Callable[[Any, Path], Test]]] = {
    "equals-ignore-case": _equals_ignore_case,
    "prefix": _prefix,
    "suffix": _suffix,
    "wildcard": _wildcard,
}
