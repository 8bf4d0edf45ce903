"""Says in the log which schedules have their fires refused by the queue: these never run."""

from datetime import datetime, timedelta
from typing import Final

from scheduler_service.store.outbox import Parcel
from service_kit.logs import logger

log = logger(__name__)

QUIET: Final = timedelta(hours=1)
"""Between two warnings of one schedule for one reason."""

MOST_REMEMBERED: Final = 10_000

Cause = tuple[str, str, str]


class Refusals:
    """Warns of refused fires, seldom enough for a schedule that is refused each second."""

    def __init__(self) -> None:
        self._warned: dict[Cause, datetime] = {}

    def tell(self, parcel: Parcel, reason: str, now: datetime) -> None:
        """The queue has refused a fire at `now`."""
        cause = parcel.namespace, parcel.schedule_id, reason
        before = self._warned.get(cause)
        if before is not None and now - before < QUIET:
            return
        # Taken out first, so that the one at the front is always the one that was warned of longest ago.
        self._warned.pop(cause, None)
        self._warned[cause] = now
        if len(self._warned) > MOST_REMEMBERED:
            del self._warned[next(iter(self._warned))]
        log.warning(
            "the queue refuses a fire, and it never runs",
            namespace=parcel.namespace,
            schedule_id=parcel.schedule_id,
            fire_id=parcel.fire_id,
            reason=reason,
        )
