"""Which types of events a trigger listens to."""

from functools import lru_cache
from typing import Final

from scheduler_service.domain.events import SYSTEM_TYPES
from scheduler_service.domain.glob import Glob, glob

ANY: Final = "*"


def is_wide(pattern: str) -> bool:
    """Whether it stands for more than one type."""
    return ANY in pattern


def hears_type(pattern: str, type: str) -> bool:
    """Whether `type` is what `pattern` stands for: `*` is any characters, but never a type of the system."""
    if not is_wide(pattern):
        return pattern == type
    return type not in SYSTEM_TYPES and _glob(pattern).matches(type)


@lru_cache(maxsize=4096)
def _glob(pattern: str) -> Glob:
    return glob(pattern.split(ANY))
