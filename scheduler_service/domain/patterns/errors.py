"""What is no pattern."""

from collections.abc import Sequence


class PatternRefused(ValueError):
    """A rule of the language is broken at `path`, which is empty for the pattern as a whole."""

    def __init__(self, path: Sequence[str], rule: str) -> None:
        self.path = ".".join(path)
        self.rule = rule
        super().__init__(f"{self.path}: {rule}" if path else rule)
