"""How many cells each column of a table gets on a terminal of a certain width. Pure."""

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

GAP: Final = 2
"""Cells between two columns."""

BESIDE: Final = 24
"""Fewest cells in which free text is worth reading beside the other columns."""


class Need(NamedTuple):
    """What one column would like to have.

    `width` is that of its widest cell, its heading included. `drop` orders the columns that a narrow
    terminal can do without, the largest first; 0 = never dropped. `cut` is the width to which it may be cut;
    0 = never cut. `free` text may wrap.
    """

    width: int
    drop: int = 0
    cut: int = 0
    free: bool = False


class Layout(NamedTuple):
    """Widths of the columns that are shown, by their position.

    `beneath` is the position of the column of free text that has no room beside the others, or None.
    """

    widths: dict[int, int]
    beneath: int | None


def layout(needs: Sequence[Need], width: int) -> Layout:
    """Fits columns into `width` cells: cuts, then drops, at last lets lines be longer than that."""
    fixed = {place: need for place, need in enumerate(needs) if not need.free}
    free = next((place for place, need in enumerate(needs) if need.free), None)
    while _total(fixed.values()) > width and any(need.drop for need in fixed.values()):
        del fixed[max(fixed, key=lambda place: fixed[place].drop)]
    widths = _stretched(fixed, width)
    if free is None:
        return Layout(widths, None)
    left = width - sum(widths.values()) - GAP * len(widths)
    if left < min(needs[free].width, BESIDE):
        return Layout(widths, free)
    return Layout({**widths, free: min(left, needs[free].width)}, None)


def _total(needs: Collection[Need]) -> int:
    """Fewest cells that the columns can have together."""
    return sum(map(_shortest, needs)) + GAP * (len(needs) - 1)


def _shortest(need: Need) -> int:
    return min(need.width, need.cut) if need.cut else need.width


def _stretched(needs: dict[int, Need], width: int) -> dict[int, int]:
    """The shortest widths, and what is left for those that were cut, first come, first served."""
    left = width - _total(needs.values())
    widths = {}
    for place, need in needs.items():
        more = min(need.width - _shortest(need), max(left, 0))
        widths[place] = _shortest(need) + more
        left -= more
    return widths
