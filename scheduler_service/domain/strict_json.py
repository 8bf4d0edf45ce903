"""JSON without what Python reads beyond it: NaN, Infinity, and numbers too large for a double."""

import json
from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any, NoReturn

Pairs = Sequence[tuple[str, Any]]


def read(text: str, made_of: Callable[[Pairs], Any] | None = None) -> Any:
    """What `text` says, its objects by `made_of`. Raises ValueError, also when it is nested too deep."""
    try:
        return json.loads(text, object_pairs_hook=made_of, parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        raise ValueError("is nested too deep") from None


def encodable(text: str) -> str:
    """With its JSON escape in place of half a surrogate pair, which JSON can name and UTF-8 cannot hold."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"{text[:20]} is too large a number")
    return number


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
