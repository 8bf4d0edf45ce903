"""What the queue is told of a blackout, and whom it holds."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from scheduler_service.domain.calendar import Blackout, Calendar, CalendarRules
from scheduler_service.domain.coverage import coverage
from scheduler_service.domain.time_set import Span

AHEAD: Final = timedelta(hours=48)
"""How far ahead the queue is told."""

REFRESH: Final = timedelta(hours=12)
"""How often: should that fail for half a day, it still knows a day."""

MOST_PERIODS: Final = 1000


@dataclass(frozen=True, slots=True)
class Told:
    """The periods to tell, and when they are to be told anew."""

    periods: list[Span]
    again_at: datetime


@dataclass(frozen=True, slots=True)
class Work:
    """What matters of a task."""

    queue: str
    handler: str
    priority: int


def periods_of(rules: CalendarRules, after: datetime, most: int, until: datetime | None = None) -> list[Span]:
    """The first stretches that end later than `after`, and begin before `until` or within ten years."""
    covered = coverage(rules)
    found: list[Span] = []
    span = covered.at(after) or covered.next_after(after)
    while span is not None and len(found) < most and (until is None or span.start < until):
        found.append(span)
        span = covered.next_after(span.start)
    return found


def told(rules: CalendarRules, now: datetime) -> Told:
    """What the queue is to know at `now`: 48 h ahead, or the next 1,000 periods."""
    found = periods_of(rules, now, MOST_PERIODS, now + AHEAD)
    known = AHEAD if len(found) < MOST_PERIODS else found[-1].start - now
    return Told(found, now + min(REFRESH, known / 2))


def held_until(blackouts: Iterable[Calendar], work: Work, instant: datetime) -> datetime | None:
    """When what comes at `instant` may start; None when nothing holds it."""
    holding = [each for each in blackouts if _holds(each.definition.blackout, work)]
    held, reached = None, instant
    while spans := [span for each in holding if (span := coverage(each.definition.rules).at(reached))]:
        held = reached = max(span.until for span in spans)
    return held


def _holds(blackout: Blackout | None, work: Work) -> bool:
    return (
        blackout is not None
        and blackout.queue in ("", work.queue)
        and blackout.handler in ("", _selected_as(work.handler))
        and not 0 < blackout.allow_priority <= work.priority
    )


def _selected_as(handler: str) -> str:
    """As a blackout names it: `name:report`, `http` or `shell`; nothing for none."""
    handler = handler.strip()
    if not handler or handler.startswith("name:"):
        return handler
    return "http" if handler.startswith(("http://", "https://")) else "shell"
