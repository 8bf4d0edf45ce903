"""Something that happened to a task, for who watches."""

from dataclasses import dataclass
from datetime import datetime

from queue_service.domain.states import Kind, State


@dataclass(frozen=True, slots=True)
class Activity:
    """`state` is the one after it; `level` is priority and boost together; `attempt` 0 = none yet."""

    at: datetime
    kind: Kind
    namespace: str
    queue: str
    task_id: str
    state: State
    schedule_id: str
    executor: str
    level: int
    attempt: int
    actor: str
    detail: str
