"""Where pages end so that they fit into a message."""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from service_kit.pages import page_token

T = TypeVar("T")

LARGEST_PAGE: Final = 2 * 1024 * 1024
"""Bytes after which a page ends early rather than outgrow what clients take in one message."""


def page(
    found: Sequence[T], most: int, filters: object, place: Callable[[T], object], size: Callable[[T], int]
) -> tuple[list[T], str]:
    """The page out of up to `most` + 1 items that were found, and the token of the next one.

    It has at most `most` items, and at least one of any size; the token is empty when nothing follows.
    """
    total, fitting = 0, 0
    for item in found[:most]:
        total += size(item)
        if fitting and total > LARGEST_PAGE:
            break
        fitting += 1
    kept = list(found[:fitting])
    return kept, page_token(filters, place(kept[-1])) if len(found) > fitting else ""
