"""The SELECTs that tasks are read with: live ones with their lease, ended ones from history."""

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Select,
    any_,
    cast,
    func,
    literal,
    literal_column,
    select,
)

from queue_service.store.records import history
from queue_service.store.tables import executors, leases, settings, tasks

_THRESHOLD: Final[ColumnElement[int]] = func.coalesce(
    settings.c.ageing_threshold_ms, literal_column("1800000")
).label("ageing_threshold_ms")


def any_of(numbers: Iterable[int]) -> Any:
    """One array: as many parameters as there may be numbers are too many for a statement."""
    return any_(cast(literal(list(numbers), ARRAY(BigInteger)), ARRAY(BigInteger)))


def live_tasks() -> Select[Any]:
    """Rows for `rows.live_task`."""
    return select(
        tasks,
        leases.c.state.label("lease_state"),
        leases.c.attempt.label("lease_attempt"),
        leases.c.token.label("lease_token"),
        leases.c.offered_at.label("lease_offered_at"),
        leases.c.started_at.label("lease_started_at"),
        executors.c.name.label("lease_executor"),
        _THRESHOLD,
    ).select_from(
        tasks.outerjoin(leases, leases.c.task == tasks.c.id)
        .outerjoin(executors, executors.c.id == leases.c.executor)
        .outerjoin(settings, settings.c.namespace == tasks.c.namespace)
    )


def ended_tasks() -> Select[Any]:
    """Rows for `rows.ended_task`."""
    return select(history, _THRESHOLD).select_from(
        history.outerjoin(settings, settings.c.namespace == history.c.namespace)
    )
