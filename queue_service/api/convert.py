"""From messages to values: what callers send."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final, Protocol

from batonpass.queue.v1 import hold_pb2, intake_service_pb2, queue_service_pb2, task_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from queue_service.domain.ending import Report
from queue_service.domain.errors import DEFAULT_QUEUE, BadField
from queue_service.domain.handler import check_selector, lane_of, parse_handler
from queue_service.domain.holds import Hold
from queue_service.domain.limits import Need, hundredths
from queue_service.domain.overlap import Overlap
from queue_service.domain.priority import DEFAULT as DEFAULT_PRIORITY
from queue_service.domain.states import State
from queue_service.domain.task import DEFAULT_TIMEOUT, Origin, Submission, Template

_LAST_YEAR: Final = datetime(9999, 1, 1, tzinfo=UTC)


def submission(
    request: queue_service_pb2.EnqueueTaskRequest, namespace: str, task_id: str, actor: str
) -> Submission:
    """What a producer enqueues, under `task_id`. Raises BadField."""
    run_at = instant(request.run_time, "run_time") if request.HasField("run_time") else None
    run_bytes = request.run_time.SerializeToString(deterministic=True) if run_at else b""
    wanted = template(request.template)
    return Submission(
        namespace=namespace,
        task_id=task_id,
        template=wanted,
        lane=_lane(namespace, wanted),
        body_hash=body_hash(request.template, run_bytes),
        actor=actor,
        run_at=run_at,
    )


def due_submission(due: intake_service_pb2.DueTask) -> Submission:
    """What a schedule's fire enqueues. Raises BadField."""
    wanted = template(due.template)
    return Submission(
        namespace=due.namespace,
        task_id=due.task_id,
        template=wanted,
        lane=_lane(due.namespace, wanted),
        body_hash=body_hash(due.template),
        actor="",
        origin=Origin(
            schedule_id=text(due.schedule_id, "schedule_id"),
            nominal_at=instant(due.nominal_time, "nominal_time"),
            fired_at=instant(due.fire_time, "fire_time"),
            overlap=Overlap(due.overlap_policy),
            trigger_depth=due.trigger_depth,
        ),
    )


def holds(request: intake_service_pb2.SetHoldsRequest) -> list[Hold]:
    """The holds of a source. Raises BadField."""
    return [
        _hold(message, request.namespace, request.source, f"holds[{number}].")
        for number, message in enumerate(request.holds)
    ]


def _hold(message: hold_pb2.Hold, namespace: str, source: str, place: str) -> Hold:
    from_at = instant(message.from_time, f"{place}from_time")
    until_at = instant(message.until_time, f"{place}until_time")
    if until_at <= from_at:
        raise BadField(f"{place}until_time", "must be after from_time")
    try:
        check_selector(message.handler)
    except ValueError as error:
        raise BadField(f"{place}handler", str(error)) from None
    return Hold(
        namespace=namespace,
        source=source,
        from_at=from_at,
        until_at=until_at,
        queue=text(message.queue, f"{place}queue"),
        handler=message.handler,
        allow_priority=message.allow_priority,
        reason=text(message.reason, f"{place}reason"),
    )


def template(message: task_pb2.TaskTemplate) -> Template:
    """A template with its defaults filled in. Raises BadField for what the proto's own rules cannot say."""
    try:
        parse_handler(message.handler)
    except ValueError as error:
        raise BadField("template.handler", str(error)) from None
    return Template(
        queue=message.queue or DEFAULT_QUEUE,
        handler=message.handler,
        name=text(message.name, "template.name"),
        priority=message.priority if message.HasField("priority") else DEFAULT_PRIORITY,
        need=Need(hundredths(message.resources.cpu_percent), hundredths(message.resources.memory_percent)),
        timeout=duration_or(message, "timeout", DEFAULT_TIMEOUT),
        retry_policy=message.retry_policy or "standard",
        circuit_breaker=message.circuit_breaker or "default",
        payload=message.payload,
    )


def body_hash(message: task_pb2.TaskTemplate, more: bytes = b"") -> bytes:
    """Equal for equal bodies. `more` is what belongs to the body beside the template."""
    return sha256(message.SerializeToString(deterministic=True) + b"\0" + more).digest()


def report(message: task_pb2.AttemptReport) -> Report:
    """What an executor measured."""
    return Report(
        exit_code=message.exit_code,
        cpu=hundredths(message.cpu_percent) if message.HasField("cpu_percent") else None,
        memory=hundredths(message.memory_percent) if message.HasField("memory_percent") else None,
        peak_bytes=message.peak_memory_bytes or None,
        duration=duration(message.duration) if message.HasField("duration") else None,
        output_tail=message.output_tail,
        error=message.error,
    )


class Named(Protocol):
    """A request about one task."""

    @property
    def queue(self) -> str:
        """Its queue; empty for the default."""
        ...

    @property
    def task_id(self) -> str:
        """Its identity."""
        ...


def key(request: Named, namespace: str) -> tuple[str, str, str]:
    """The task that a request is about: namespace, queue, task_id. Raises BadField."""
    return namespace, request.queue or DEFAULT_QUEUE, text(request.task_id, "task_id")


def state_filter(number: int) -> State | None:
    """The state to filter by; None for every state."""
    return State(number) if number else None


def instant(message: Timestamp, field: str) -> datetime:
    """An aware instant. Raises BadField for one outside of the years 1 to 9998."""
    try:
        found = message.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        found = _LAST_YEAR
    if found >= _LAST_YEAR:
        raise BadField(field, "must lie in the years 1 to 9998")
    return found


def duration(message: Duration) -> timedelta:
    """A duration, to the microsecond."""
    return message.ToTimedelta()


def duration_or(message: Message, field: str, default: timedelta) -> timedelta:
    """A field's duration, or the default when it is not set."""
    return duration(getattr(message, field)) if message.HasField(field) else default


def text(value: str, field: str) -> str:
    """The text as it is. Raises BadField for a NUL character, which PostgreSQL cannot store."""
    if "\0" in value:
        raise BadField(field, "must not contain a NUL character")
    return value


def _lane(namespace: str, wanted: Template) -> str:
    key = parse_handler(wanted.handler).key
    return str(lane_of(namespace, wanted.queue, key, wanted.need.cpu, wanted.need.memory))
