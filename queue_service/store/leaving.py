"""Leases that have ended, and the rows that are written of each."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Self, TypeAlias

from queue_service.domain.ending import Finished, How, Progress, Turn, turn
from queue_service.domain.states import Event, Kind, LeaseState, Result, State, after, live_state

Row: TypeAlias = Mapping[str, Any]

LONGEST_DETAIL: Final = 500

_KINDS: Final = {
    Event.SUCCEED: Kind.ENDED,
    Event.BURY: Kind.ENDED,
    Event.CANCEL: Kind.ENDED,
    Event.RETRY: Kind.RETRYING,
    Event.RETURN: Kind.RETURNED,
}


@dataclass(frozen=True, slots=True)
class Leaving:
    """One lease that has ended: its row, what was said, and what follows."""

    row: Row
    finished: Finished
    turn: Turn
    state: State
    started_at: datetime | None
    error: str

    @classmethod
    def of(cls, row: Row, finished: Finished, now: datetime) -> Self:
        """From a row of `free` and the report that ended it."""
        progress = Progress(row["retry_policy"], row["failures"], row["losses"], row["cancel_asked"])
        what = turn(progress, finished, random.random())
        state = after(live_state(LeaseState(row["state"]), due=True), what.event)
        assert state is not None
        return cls(row, finished, what, state, _started_at(row, finished, now), clean(what.error))

    @property
    def burnt(self) -> bool:
        """Whether an attempt has ended with it."""
        return self.turn.result is not None

    @property
    def reported(self) -> bool:
        """Whether its executor has said how the attempt ended."""
        return self.turn.result not in (None, Result.LOST)

    def counts(self) -> tuple[Any, ...]:
        """Attempts, failures, losses; token, executor, start, error of the attempt, null if none is burnt."""
        row = self.row
        if not self.burnt:
            return row["attempt"] - 1, self.turn.failures, self.turn.losses, None, None, None, ""
        return (
            row["attempt"],
            self.turn.failures,
            self.turn.losses,
            row["token"],
            row["executor_name"],
            self.started_at,
            self.error,
        )

    def attempt(self, now: datetime) -> tuple[Any, ...]:
        """The values of `record_attempts`'s columns, in their order."""
        row, report = self.row, self.finished.report
        duration = report.duration
        if duration is None and self.started_at is not None:
            duration = max(timedelta(0), now - self.started_at)
        return (
            row["task"],
            row["chain"],
            row["attempt"],
            row["token"],
            row["executor_name"],
            row["offered_at"],
            self.started_at,
            now,
            self.turn.result,
            self.finished.category,
            self.state,
            report.exit_code,
            report.cpu,
            report.memory,
            report.peak_bytes,
            None if duration is None else duration // timedelta(milliseconds=1),
            clean(report.output_tail),
            self.error,
        )

    def trace(self) -> tuple[Any, ...]:
        """The values of `trail`'s columns, in their order."""
        row, finished = self.row, self.finished
        cancelled = self.turn.event is Event.CANCEL
        return (
            _KINDS[self.turn.event],
            self.state,
            row["namespace"],
            row["executor_name"],
            finished.actor or (row["cancel_actor"] if cancelled else None) or "",
            (self.error or clean(finished.detail))[:LONGEST_DETAIL],
            row["task"],
            row["token"],
            row["attempt"],
            row["cpu"],
            row["memory"],
        )


def _started_at(row: Row, finished: Finished, now: datetime) -> datetime | None:
    """When the attempt began. A report without an accept before it implies one, some time after the offer."""
    known: datetime | None = row["started_at"] or finished.started_at
    if known is not None or finished.how in (How.LOST, How.RETURNED):
        return known
    ran = min(finished.report.duration or timedelta(0), now - row["offered_at"])
    began: datetime = now - ran
    return began


def clean(text: str) -> str:
    """The text without what PostgreSQL cannot store."""
    return text.replace("\0", "\ufffd") if "\0" in text else text
