"""What intake says about one submission."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from queue_service.domain.limits import Limits


@dataclass(frozen=True, slots=True)
class Created:
    """It is in the queue now, as task `id`."""

    id: int
    order_at: datetime
    run_at: datetime
    ready: bool


@dataclass(frozen=True, slots=True)
class Known:
    """The same body was taken in before as task `id`, which may have ended since."""

    id: int


@dataclass(frozen=True, slots=True)
class KeptOut:
    """Its overlap policy keeps it out, now or when it was sent first; `by` was in the way."""

    by: str


@dataclass(frozen=True, slots=True)
class Different:
    """Its task_id was used before with another body, of which `kept` holds under `body_hash`."""

    body_hash: bytes
    kept: Known | KeptOut


@dataclass(frozen=True, slots=True)
class TooLarge:
    """No executor may ever run it; `largest` is the most that any may give of each resource."""

    largest: Limits


@dataclass(frozen=True, slots=True)
class TooOld:
    """It was fired before the oldest task_id that is still remembered."""


Verdict: TypeAlias = Created | Known | KeptOut | Different | TooLarge | TooOld


def said_again(verdict: Verdict, first_hash: bytes, body_hash: bytes) -> Verdict | None:
    """The verdict on a submission under the same task_id, right after one of `first_hash` got `verdict`.

    None when the first one says nothing about the second, since nothing was kept.
    """
    if isinstance(verdict, TooLarge | TooOld):
        return None
    if isinstance(verdict, Different):
        first_hash, kept = verdict.body_hash, verdict.kept
    else:
        kept = Known(verdict.id) if isinstance(verdict, Created) else verdict
    return kept if body_hash == first_hash else Different(first_hash, kept)
