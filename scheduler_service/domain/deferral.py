"""Closed instants that fire when the calendars open again, once for all of them."""

from dataclasses import dataclass
from datetime import datetime

from scheduler_service.domain.closing import TICK, Closing


@dataclass(frozen=True, slots=True)
class Deferral(Closing):
    """Moves closed instants to the end of the stretch in which they lie."""

    def moved(self, instant: datetime) -> datetime | None:
        """The first open instant after it; None when there is none within ten years."""
        return self.closure.reopens(instant)

    @property
    def stuck(self) -> str:
        """Said of one that is never open again."""
        return ", and not open again within ten years"

    def moves_since(self, instant: datetime) -> datetime:
        """Just before the stretch that is closed then."""
        closed = self.closure.stretch(instant)
        return instant if closed is None else closed.start - TICK

    def next_after(self, instant: datetime) -> datetime | None:
        """The first one that fires later than `instant`; None when there is none within ten years."""
        last = self.base.previous_at_or_before(instant)
        if last is not None and last > self.after and self.closure.is_closed(last):
            to = self.target(last)
            if to is not None and to > instant:
                return to
        following = self.base.next_after(max(instant, self.after))
        if following is None or not self.closure.is_closed(following):
            return following
        return self.target(following)

    def previous_at_or_before(self, instant: datetime) -> datetime | None:
        """The last one that fires not later than `instant`; None when there was none."""
        last = self.base.previous_at_or_before(instant)
        if last is None or last <= self.after:
            return None
        stretch = self.closure.stretch(last)
        if stretch is None:
            return last
        to = self.target(last)
        if to is not None and to <= instant:
            return to
        return self.previous_at_or_before(stretch.start - TICK)
