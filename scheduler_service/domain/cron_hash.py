"""`H` in a cron expression: values that the schedule's id chooses, so that many schedules do not meet.

The choice is the SHA-256 of field name and seed, so it is the same for ever and differs between the fields of
one expression. `H` is one value of the field (of days of the month one of 1-28, which every month has),
`H(a-b)` one of the range; `H/n` and `H(a-b)/n` are every n-th value from one of the first n.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from typing import Final

from scheduler_service.domain.cron_fields import YEAR, Field, invalid

_HASHED: Final = re.compile(r"(?:^|,)H")
_FORM: Final = re.compile(r"H(?:\((?P<first>\w+)-(?P<last>\w+)\))?(?:/(?P<step>\d+))?")


def is_hashed(text: str) -> bool:
    """Whether the text of a field (in capitals) leaves something to the seed."""
    return _HASHED.search(text) is not None


def resolve(field: Field, text: str, seed: str, span: Callable[[Field, str, str], Sequence[int]]) -> str:
    """The text with numbers in place of every `H`; `span` lists a range in its order.

    Raises InvalidSchedule for what cannot be read.
    """
    if not is_hashed(text):
        return text
    return ",".join(
        _chosen(field, part, seed, span) if part.startswith("H") else part for part in text.split(",")
    )


def _chosen(field: Field, part: str, seed: str, span: Callable[[Field, str, str], Sequence[int]]) -> str:
    if field is YEAR:
        raise invalid(f"year {part!r}: a year cannot be chosen")
    form = _FORM.fullmatch(part)
    if form is None:
        raise invalid(f"{field.name} {part!r} cannot be read; allowed are H, H/n, H(a-b) and H(a-b)/n")
    pool = span(field, form["first"], form["last"]) if form["first"] else field.hashed
    number = _number(field, seed)
    if form["step"] is None:
        return str(pool[number % len(pool)])
    step = int(form["step"])
    if not 1 <= step <= len(pool):
        raise invalid(f"{field.name} {part!r}: the step must be 1 to {len(pool)}, the number of its values")
    return ",".join(str(value) for value in pool[number % step :: step])


def _number(field: Field, seed: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{field.name}\n{seed}".encode()).digest()[:8])
