"""Tasks as values: what a caller hands in, and what is known of one that is kept.

Resources are hundredths of a percent of a host.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from queue_service.domain import priority as priorities
from queue_service.domain.ending import Report
from queue_service.domain.handler import lane_of, parse_handler
from queue_service.domain.limits import Need
from queue_service.domain.overlap import Overlap
from queue_service.domain.states import Category, Result, State

DEFAULT_TIMEOUT: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Template:
    """What to run and how, defaults filled in."""

    queue: str
    handler: str
    name: str = ""
    priority: int = priorities.DEFAULT
    need: Need = field(default_factory=Need)
    timeout: timedelta = DEFAULT_TIMEOUT
    retry_policy: str = "standard"
    circuit_breaker: str = "default"
    payload: bytes = b""


@dataclass(frozen=True, slots=True)
class Origin:
    """The fire that a task comes from."""

    schedule_id: str
    nominal_at: datetime
    fired_at: datetime
    overlap: Overlap
    trigger_depth: int = 0


@dataclass(frozen=True, slots=True)
class Submission:
    """A task to be taken in. `body_hash` tells equal bodies under one `task_id` from different ones."""

    namespace: str
    task_id: str
    template: Template
    lane: str
    body_hash: bytes
    actor: str
    run_at: datetime | None = None
    origin: Origin | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """The idempotency key: namespace, queue, task_id."""
        return self.namespace, self.template.queue, self.task_id


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt; `ended_at` and `result` are None while it runs."""

    attempt: int
    chain: int
    token: int
    executor: str
    offered_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    result: Result | None = None
    category: Category = Category.NONE
    report: Report = field(default_factory=Report)

    def without_output(self) -> "Attempt":
        """As lists and streams show it."""
        return replace(self, report=replace(self.report, output_tail=""))


@dataclass(frozen=True, slots=True)
class Task:
    """A task as it is kept, live or ended.

    `attempt` is the number of the current attempt, of the next one while it waits, of the last one when it
    has ended, 1 when it ended without any. `waited_until` ends its ageing: when it was leased or ended, None
    while it waits.
    """

    id: int
    namespace: str
    task_id: str
    template: Template
    state: State
    boost: int
    attempt: int
    chain: int
    enqueued_at: datetime
    order_at: datetime
    run_at: datetime
    schedule_id: str = ""
    nominal_at: datetime | None = None
    trigger_depth: int = 0
    started_at: datetime | None = None
    ended_at: datetime | None = None
    executor: str = ""
    error: str = ""
    waiting_reason: str = ""
    ready: bool = True
    waited_until: datetime | None = None
    threshold: timedelta = timedelta(minutes=30)
    attempts: tuple[Attempt, ...] = ()

    @property
    def level(self) -> int:
        """Priority and boosts: what its list is of."""
        return self.template.priority + self.boost

    @property
    def lane(self) -> str:
        """The lane it waits in."""
        template = self.template
        key = parse_handler(template.handler).key
        return str(lane_of(self.namespace, template.queue, key, template.need.cpu, template.need.memory))

    def shown_level(self, now: datetime) -> int:
        """Effective priority for people, at `now`."""
        until = self.waited_until or now
        return priorities.shown_level(self.level, self.order_at, until, self.threshold)
