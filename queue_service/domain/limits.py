"""Limits of executors: how many tasks, and how much of the host they may declare together.

Resources are whole hundredths of a percent of the executor's host: 8000 is 80 %.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Most that may be leased to one executor at a time."""

    max_tasks: int = 4
    max_cpu: int = 8_000
    max_memory: int = 8_500


@dataclass(frozen=True, slots=True)
class Overrides:
    """Limits of one executor's own; None = the namespace's default holds."""

    max_tasks: int | None = None
    max_cpu: int | None = None
    max_memory: int | None = None


@dataclass(frozen=True, slots=True)
class Need:
    """What a task declares to use at most."""

    cpu: int = 0
    memory: int = 0


def in_force(defaults: Limits, own: Overrides) -> Limits:
    """The limits that hold for an executor."""
    return Limits(
        max_tasks=defaults.max_tasks if own.max_tasks is None else own.max_tasks,
        max_cpu=defaults.max_cpu if own.max_cpu is None else own.max_cpu,
        max_memory=defaults.max_memory if own.max_memory is None else own.max_memory,
    )


def fits_alone(need: Need, limits: Limits) -> bool:
    """Whether an executor that runs nothing else could take it, if it took any task at all."""
    return need.cpu <= limits.max_cpu and need.memory <= limits.max_memory


def hundredths(percent: float) -> int:
    """Percent as whole hundredths of a percent, to the nearest."""
    return round(percent * 100)


def percent(hundredths_of_percent: int) -> float:
    """The inverse of `hundredths`."""
    return hundredths_of_percent / 100
