"""Texts in which a place stands for any characters."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Glob:
    """The texts that begin with `head`, end with `tail` and have `middle` in between, in that order.

    Linear in the text for each part, whatever the text is: regular expressions are not.
    """

    head: str
    middle: tuple[str, ...]
    tail: str | None
    """None: the text is `head` and nothing else."""

    def matches(self, text: str) -> bool:
        """Whether the whole of `text` is one of them."""
        if self.tail is None:
            return text == self.head
        start, end = len(self.head), len(text) - len(self.tail)
        if start > end or not text.startswith(self.head) or not text.endswith(self.tail):
            return False
        for part in self.middle:
            start = text.find(part, start, end)
            if start < 0:
                return False
            start += len(part)
        return True


def glob(parts: Sequence[str]) -> Glob:
    """The texts that consist of `parts`, at least one, with any characters in between."""
    if len(parts) == 1:
        return Glob(parts[0], (), None)
    return Glob(parts[0], tuple(part for part in parts[1:-1] if part), parts[-1])
