"""The end of a chain of attempts, as it is told to who follows."""

from dataclasses import dataclass

from queue_service.domain.cursor import Cursor
from queue_service.domain.task import Attempt, Task


@dataclass(frozen=True, slots=True)
class Outcome:
    """`task` has ended; `last` is its last attempt, None when it never started; `cursor` is its own place."""

    cursor: Cursor
    task: Task
    last: Attempt | None
