"""The end of a chain of attempts, as it is told to who follows."""

from dataclasses import dataclass

from queue_service.domain.cursor import Cursor
from queue_service.domain.task import Attempt, Task


@dataclass(frozen=True, slots=True)
class Outcome:
    """`task` has ended after `attempts` attempts; `cursor` is its own place.

    `last` is its last attempt, None when it never started.
    """

    cursor: Cursor
    task: Task
    attempts: int
    last: Attempt | None
