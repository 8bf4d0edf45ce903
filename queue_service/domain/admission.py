"""Admission: whether a task fits into what an executor has left."""

from dataclasses import dataclass
from enum import Enum

from queue_service.domain.limits import Limits, Need


@dataclass(frozen=True, slots=True)
class Use:
    """Declared use of one executor: the sums over its leases, offered ones included.

    `cpu` and `memory` are in hundredths of a percent of its host. May be above the limits after these were
    lowered.
    """

    tasks: int = 0
    cpu: int = 0
    memory: int = 0

    def plus(self, need: Need) -> "Use":
        """The use with one more task."""
        return Use(self.tasks + 1, self.cpu + need.cpu, self.memory + need.memory)


class Dimension(Enum):
    """What can run out."""

    TASKS = "tasks"
    CPU = "cpu"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True)
class Admit:
    """It fits."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """It does not fit: it needs `need` of `dimension`, of which `free` is left (0 when it is overdrawn)."""

    dimension: Dimension
    need: int
    free: int


_ADMIT = Admit()


def fits(use: Use, limits: Limits, need: Need) -> Admit | Refuse:
    """Whether a task that declares `need` may start beside what is in `use`.

    A use that equals the limit afterwards is allowed. A task that declares nothing of a resource is not held
    back by it, even when it is overdrawn. The first dimension in the way is named, in the order tasks, CPU,
    memory.
    """
    if use.tasks >= limits.max_tasks:
        return Refuse(Dimension.TASKS, 1, 0)
    if need.cpu and use.cpu + need.cpu > limits.max_cpu:
        return Refuse(Dimension.CPU, need.cpu, max(0, limits.max_cpu - use.cpu))
    if need.memory and use.memory + need.memory > limits.max_memory:
        return Refuse(Dimension.MEMORY, need.memory, max(0, limits.max_memory - use.memory))
    return _ADMIT
