"""Texts with parameters: `${name}` stands for a value, `$${` for `${` itself."""

import re
from collections.abc import Callable, Mapping
from typing import Final

_PLACE: Final = re.compile(r"\$\$\{|\$\{(?:([A-Za-z][A-Za-z0-9_]*)\})?")


class UnknownParameter(ValueError):
    """A text names a parameter that there is not, or begins one and does not end it."""


def _as_it_is(value: str) -> str:
    return value


def expand(text: str, values: Mapping[str, str], quote: Callable[[str], str] = _as_it_is) -> str:
    """`text` with every place filled in by `quote` of its value. Values are not expanded again.

    Raises UnknownParameter, whose text says what is wrong.
    """

    def filled(place: "re.Match[str]") -> str:
        if place[0] == "$${":
            return "${"
        name = place[1]
        if name is None:
            raise UnknownParameter("`${` begins a parameter, as in `${name}`; write `$${` for itself")
        if name not in values:
            raise UnknownParameter(f"there is no parameter {name!r}")
        return quote(values[name])

    return _PLACE.sub(filled, text)
