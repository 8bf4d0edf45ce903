"""What agents say of themselves and their hosts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Registration:
    """What an agent says of itself.

    `max_tasks` 0 leaves the executor's own limit as it is; `memory_bytes` and `cpu_count` are its host's.
    """

    namespace: str
    executor: str
    instance_id: str
    handlers: tuple[str, ...] = ()
    allows_shell: bool = False
    allows_http: bool = False
    labels: Mapping[str, str] | None = None
    cpu_count: int = 0
    memory_bytes: int = 0
    version: str = ""
    max_tasks: int = 0


class Measured(NamedTuple):
    """Use of a host in hundredths of a percent as its agent measured it; None = not said."""

    executor: int
    cpu: int | None
    memory: int | None
