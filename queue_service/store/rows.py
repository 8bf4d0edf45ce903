"""From rows to tasks and attempts."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row

from queue_service.domain.ending import Report
from queue_service.domain.limits import Need
from queue_service.domain.states import Category, LeaseState, Result, State, live_state
from queue_service.domain.task import Attempt, Task, Template


def live_task(row: Row[Any], now: datetime, attempts: tuple[Attempt, ...] = ()) -> Task:
    """A row of `tasks`, with what its lease says as `lease_*`."""
    lease = None if row.lease_state is None else LeaseState(row.lease_state)
    return Task(
        **_common(row),
        state=live_state(lease, due=row.run_at <= now),
        ready=row.ready,
        attempt=row.lease_attempt or row.attempts + 1,
        started_at=row.lease_started_at if lease else row.last_started_at,
        executor=(row.lease_executor if lease else row.last_executor) or "",
        waited_until=row.lease_offered_at,
        attempts=attempts,
    )


def ended_task(row: Row[Any], attempts: tuple[Attempt, ...] = ()) -> Task:
    """A row of `history`."""
    return Task(
        **_common(row),
        state=State(row.state),
        attempt=max(1, row.attempts),
        started_at=row.last_started_at,
        ended_at=row.ended_at,
        executor=row.last_executor or "",
        waited_until=row.last_started_at or row.ended_at,
        attempts=attempts,
    )


def _common(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "namespace": row.namespace,
        "task_id": row.task_id,
        "template": template(row),
        "boost": row.boost,
        "chain": row.chain,
        "enqueued_at": row.enqueued_at,
        "order_at": row.order_at,
        "run_at": row.run_at,
        "schedule_id": row.schedule_id or "",
        "nominal_at": row.nominal_at,
        "trigger_depth": row.trigger_depth,
        "error": row.last_error or "",
        "threshold": timedelta(milliseconds=row.ageing_threshold_ms),
    }


def template(row: Row[Any], payload: bytes = b"") -> Template:
    """The template in a row of `tasks` or `history`."""
    return Template(
        queue=row.queue,
        handler=row.handler,
        name=row.name,
        priority=row.priority,
        need=Need(row.cpu, row.memory),
        timeout=timedelta(milliseconds=row.timeout_ms),
        retry_policy=row.retry_policy,
        circuit_breaker=row.circuit_breaker,
        payload=payload,
    )


def ended_attempt(row: Any) -> Attempt:
    """A row of `attempts`."""
    duration = None if row.duration_ms is None else timedelta(milliseconds=row.duration_ms)
    return Attempt(
        attempt=row.attempt,
        chain=row.chain,
        token=row.token,
        executor=row.executor,
        offered_at=row.offered_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        result=Result(row.result),
        category=Category(row.category),
        report=Report(
            exit_code=row.exit_code,
            cpu=row.cpu,
            memory=row.memory,
            peak_bytes=row.peak_bytes,
            duration=duration,
            output_tail=row.output_tail,
            error=row.error,
        ),
    )


def running_attempt(row: Row[Any]) -> Attempt:
    """The attempt under way, from a row as for `live_task` that has a lease."""
    return Attempt(
        attempt=row.lease_attempt,
        chain=row.chain,
        token=row.lease_token,
        executor=row.lease_executor,
        offered_at=row.lease_offered_at,
        started_at=row.lease_started_at,
    )
