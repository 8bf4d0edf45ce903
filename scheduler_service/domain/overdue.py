"""Schedules that should have fired and have not."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from scheduler_service.domain.fire import time_key

TOLERANCE: Final = timedelta(seconds=10)
"""How far in the past its due time may lie."""


def overdue_event_id(incarnation: UUID, due_at: datetime) -> str:
    """Id of the event that says so: the same for one due time, whoever emits it."""
    return f"{incarnation}/{time_key(due_at)}"
