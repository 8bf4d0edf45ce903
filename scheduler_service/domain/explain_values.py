"""The shape of a field's values: what they have in common that can be said in few words."""

from dataclasses import dataclass
from itertools import pairwise

from scheduler_service.domain.cron_fields import Field


@dataclass(frozen=True, slots=True)
class Steps:
    """Values `first`, `first + step`, ... `last`; past the field's last value they go on at its first one."""

    first: int
    last: int
    step: int
    even: bool
    """Whether the step is the same from the last value round to the first one."""


def is_all(field: Field, values: tuple[int, ...]) -> bool:
    """Whether the field restricts nothing."""
    return len(values) == len(field.values)


def steps(field: Field, values: tuple[int, ...]) -> Steps | None:
    """What sorted values have in common: three or more in equal steps, or two that halve the field."""
    gaps = [later - earlier for earlier, later in pairwise(values)]
    if len(set(gaps)) == 1:
        even = field.wraps and gaps[0] * len(values) == len(field.values)
        if even or len(values) > 2:
            return Steps(values[0], values[-1], gaps[0], even)
    if field.wraps and len(values) > 2 and (values[0], values[-1]) == (field.first, field.last):
        holes = [number for number, gap in enumerate(gaps) if gap != 1]
        if len(holes) == 1:
            return Steps(values[holes[0] + 1], values[holes[0]], 1, even=False)
    return None


def run(field: Field, values: tuple[int, ...]) -> tuple[int, int] | None:
    """First and last of a single value or of values without a hole; None for others and for all of them."""
    if is_all(field, values):
        return None
    if len(values) == 1:
        return values[0], values[0]
    found = steps(field, values)
    return (found.first, found.last) if found is not None and found.step == 1 else None
