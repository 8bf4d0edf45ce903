"""From values to messages: what callers get."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from batonpass.queue.v1 import executor_pb2, hold_pb2, intake_service_pb2, queue_service_pb2, task_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from queue_service.domain.activity import Activity
from queue_service.domain.ending import Report
from queue_service.domain.executor import Executor, Load
from queue_service.domain.holds import Hold
from queue_service.domain.limits import Limits, percent
from queue_service.domain.outcome import Outcome
from queue_service.domain.priority import band
from queue_service.domain.states import State
from queue_service.domain.task import Attempt, Task, Template

LONGEST_HANDLER_IN_OUTCOME = 256


def task(value: Task, now: datetime, *, payload: bool = False) -> task_pb2.Task:
    """A task as it is at `now`, with the attempts it was read with; payload only when it is asked for."""
    return task_pb2.Task(
        task_id=value.task_id,
        template=template(value.template, payload=payload),
        state=task_pb2.TaskState.ValueType(value.state),
        band=task_pb2.PriorityBand.ValueType(band(value.template.priority)),
        effective_priority=value.shown_level(now),
        boost=value.boost,
        attempt=value.attempt,
        chain=value.chain,
        schedule_id=value.schedule_id,
        nominal_time=timestamp(value.nominal_at),
        enqueue_time=timestamp(value.enqueued_at),
        run_time=timestamp(value.run_at),
        start_time=timestamp(value.started_at),
        end_time=timestamp(value.ended_at),
        executor=value.executor,
        attempts=[attempt(each) for each in value.attempts],
        waiting_reason=value.waiting_reason,
        error=value.error,
    )


def template(value: Template, *, payload: bool = True) -> task_pb2.TaskTemplate:
    """A template with its defaults filled in."""
    return task_pb2.TaskTemplate(
        handler=value.handler,
        priority=value.priority,
        resources=task_pb2.Resources(
            cpu_percent=percent(value.need.cpu), memory_percent=percent(value.need.memory)
        ),
        retry_policy=value.retry_policy,
        circuit_breaker=value.circuit_breaker,
        timeout=duration(value.timeout),
        payload=value.payload if payload else b"",
        name=value.name,
        queue=value.queue,
    )


def attempt(value: Attempt) -> task_pb2.Attempt:
    """An attempt, with its report when it has ended."""
    return task_pb2.Attempt(
        attempt=value.attempt,
        chain=value.chain,
        lease_token=value.token,
        executor=value.executor,
        offer_time=timestamp(value.offered_at),
        start_time=timestamp(value.started_at),
        end_time=timestamp(value.ended_at),
        result=task_pb2.AttemptResult.ValueType(value.result or 0),
        category=task_pb2.FailureCategory.ValueType(value.category),
        report=None if value.ended_at is None else report(value.report),
    )


def report(value: Report) -> task_pb2.AttemptReport:
    """What was measured."""
    return task_pb2.AttemptReport(
        exit_code=value.exit_code or 0,
        cpu_percent=None if value.cpu is None else percent(value.cpu),
        memory_percent=None if value.memory is None else percent(value.memory),
        peak_memory_bytes=value.peak_bytes or 0,
        duration=duration(value.duration),
        output_tail=value.output_tail,
        error=value.error,
    )


def outcome(value: Outcome) -> intake_service_pb2.Outcome:
    """The end of a chain of attempts."""
    ended = value.task
    return intake_service_pb2.Outcome(
        namespace=ended.namespace,
        queue=ended.template.queue,
        task_id=ended.task_id,
        chain=ended.chain,
        schedule_id=ended.schedule_id,
        state=task_pb2.TaskState.ValueType(ended.state),
        attempts=value.attempts,
        start_time=timestamp(ended.started_at),
        end_time=timestamp(ended.ended_at),
        last_attempt=None if value.last is None else attempt(value.last),
        handler=ended.template.handler[:LONGEST_HANDLER_IN_OUTCOME],
        trigger_depth=ended.trigger_depth,
    )


def limits(value: Limits) -> executor_pb2.Limits:
    """Limits in force."""
    return executor_pb2.Limits(
        max_tasks=value.max_tasks,
        max_cpu_percent=percent(value.max_cpu),
        max_memory_percent=percent(value.max_memory),
    )


def executor(value: Executor) -> executor_pb2.Executor:
    """An executor with its limits and use."""
    state = executor_pb2.EXECUTOR_STATE_ONLINE if value.online else executor_pb2.EXECUTOR_STATE_OFFLINE
    load = value.load
    return executor_pb2.Executor(
        name=value.name,
        state=state,
        session_epoch=value.session,
        limits=limits(value.limits),
        use=executor_pb2.Use(
            tasks=value.use.tasks,
            cpu_percent=percent(value.use.cpu),
            memory_percent=percent(value.use.memory),
        ),
        load=None if load is None else _load(load),
        labels=value.labels,
        handlers=value.handlers,
        allows_shell=value.allows_shell,
        allows_http=value.allows_http,
        cpu_count=value.cpu_count,
        memory_bytes=value.memory_bytes,
        version=value.version,
        seen_time=timestamp(value.seen_at),
    )


def _load(value: Load) -> executor_pb2.HostLoad:
    return executor_pb2.HostLoad(cpu_percent=percent(value.cpu), memory_percent=percent(value.memory))


def executor_limits(value: Executor) -> queue_service_pb2.ExecutorLimits:
    """The limits of one executor."""
    return queue_service_pb2.ExecutorLimits(executor=value.name, limits=limits(value.limits))


def counts(value: Mapping[State, int]) -> queue_service_pb2.TaskCounts:
    """Number of tasks by state."""
    return queue_service_pb2.TaskCounts(
        scheduled=value.get(State.SCHEDULED, 0),
        waiting=value.get(State.WAITING, 0),
        offered=value.get(State.OFFERED, 0),
        running=value.get(State.RUNNING, 0),
        succeeded=value.get(State.SUCCEEDED, 0),
        dead=value.get(State.DEAD, 0),
        cancelled=value.get(State.CANCELLED, 0),
        expired=value.get(State.EXPIRED, 0),
    )


def hold(value: Hold) -> hold_pb2.Hold:
    """A hold and who owns it."""
    return hold_pb2.Hold(
        from_time=timestamp(value.from_at),
        until_time=timestamp(value.until_at),
        queue=value.queue,
        handler=value.handler,
        allow_priority=value.allow_priority,
        reason=value.reason,
        source=value.source,
    )


def activity(value: Activity) -> queue_service_pb2.Activity:
    """One thing that happened to one task."""
    return queue_service_pb2.Activity(
        time=timestamp(value.at),
        kind=queue_service_pb2.ActivityKind.ValueType(value.kind),
        task_id=value.task_id,
        queue=value.queue,
        state=task_pb2.TaskState.ValueType(value.state),
        schedule_id=value.schedule_id,
        executor=value.executor,
        priority=value.level,
        attempt=value.attempt,
        actor=value.actor,
        detail=value.detail,
    )


def timestamp(value: datetime | None) -> Timestamp | None:
    """None stays unset."""
    if value is None:
        return None
    message = Timestamp()
    message.FromDatetime(value)
    return message


def duration(value: timedelta | None) -> Duration | None:
    """None stays unset."""
    if value is None:
        return None
    message = Duration()
    message.FromTimedelta(value)
    return message
