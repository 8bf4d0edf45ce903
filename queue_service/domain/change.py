"""What an operator's change of one task came to."""

from dataclasses import dataclass
from typing import TypeAlias

from queue_service.domain.order import Candidate


@dataclass(frozen=True, slots=True)
class Done:
    """The task was changed, or had been changed like that; `ready` may start now."""

    task: int
    ready: tuple[Candidate, ...] = ()


@dataclass(frozen=True, slots=True)
class AskedToStop:
    """An agent runs it and has been asked to stop; it ends when the agent reports."""

    task: int


@dataclass(frozen=True, slots=True)
class Leased:
    """It is offered or runs, which forbids the change."""

    task: int


@dataclass(frozen=True, slots=True)
class NotLive:
    """No such task has not ended."""


Cancelled: TypeAlias = Done | AskedToStop | NotLive
Moved: TypeAlias = Done | Leased | NotLive
