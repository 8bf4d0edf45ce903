"""What a trigger makes of many events: one fire for several, or one in a while."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from scheduler_service.domain.fire import Disposition
from scheduler_service.domain.spec import EventSpec


@dataclass(frozen=True, slots=True)
class Portion:
    """Events that join one gathering, in order of their arrival."""

    count: int
    is_new: bool
    """Whether they begin it; else they join the one that is open."""
    due_at: datetime | None
    """When it fires from now on; None leaves that as it is."""
    is_full: bool


def gathers(spec: EventSpec) -> bool:
    """Whether its events wait for others."""
    return spec.debounce is not None or spec.batch is not None


def portions(spec: EventSpec, gathered: int, arrived: int, now: datetime) -> list[Portion]:
    """How `arrived` events are shared out when the open gathering has `gathered` (0: there is none)."""
    if spec.batch is None:
        assert spec.debounce is not None, "only for triggers that gather"
        return [Portion(arrived, not gathered, now + spec.debounce, False)]
    made, most = [], spec.batch.max_events
    while arrived > 0:
        count = min(arrived, max(1, most - gathered))
        is_full = gathered + count >= most
        begun = None if gathered else now + spec.batch.max_wait
        made.append(Portion(count, not gathered, now if is_full else begun, is_full))
        arrived, gathered = arrived - count, 0
    return made


def waiting(spec: EventSpec) -> str:
    """What an event that is gathered waits for, in words."""
    if spec.batch is None:
        assert spec.debounce is not None, "only for triggers that gather"
        return f"gathered: fires when no further event has come for {_seconds(spec.debounce)}"
    batch = spec.batch
    return f"gathered: fires with {batch.max_events} events, at the latest after {_seconds(batch.max_wait)}"


def throttled(spec: EventSpec, last: datetime | None, now: datetime) -> str:
    """Why an event does not fire at `now` when the last one fired at `last`; empty when it does."""
    if spec.throttle is None or last is None or now >= last + spec.throttle:
        return ""
    return f"the last one fired at {last:%Y-%m-%dT%H:%M:%S}Z, at most one does in {_seconds(spec.throttle)}"


@dataclass(frozen=True, slots=True)
class Ending:
    """What becomes of the events of a gathering that do not carry its fire."""

    disposition: Disposition
    detail: str


DELETED = Ending(Disposition.REJECTED, "the schedule was deleted before its events had been gathered")
PAUSED = Ending(Disposition.PAUSED, "the schedule was disabled when its gathered events came due")


def batched(fire_id: str) -> Ending:
    """They are part of that fire."""
    return Ending(Disposition.BATCHED, f"into {fire_id}")


def unreadable(reason: str) -> Ending:
    """The schedule cannot be read."""
    return Ending(Disposition.REJECTED, reason)


def _seconds(duration: timedelta) -> str:
    return f"{duration.total_seconds():g} s"
