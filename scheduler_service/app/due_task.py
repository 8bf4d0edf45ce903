"""A fire as the queue gets it."""

from datetime import datetime
from typing import Final

from batonpass.queue.v1 import intake_service_pb2 as intake
from batonpass.queue.v1 import task_pb2
from google.protobuf.message import DecodeError

from scheduler_service.domain.blackouts import Work
from scheduler_service.domain.errors import InvalidSchedule
from scheduler_service.domain.overlap import Overlap
from scheduler_service.domain.schedule import Schedule

DEFAULT_PRIORITY: Final = 5
DEFAULT_QUEUE: Final = "default"


def encode(
    schedule: Schedule,
    fire_id: str,
    nominal: datetime,
    now: datetime,
    overlap: Overlap,
    *,
    depth: int = 0,
    payload: bytes = b"",
    priority: int | None = None,
) -> bytes:
    """A serialized `DueTask`. `payload` is used when the template has none of its own, `priority` instead of
    the template's.

    Raises InvalidSchedule when the stored template cannot be read.
    """
    task = intake.DueTask(
        namespace=schedule.namespace,
        task_id=fire_id,
        schedule_id=schedule.schedule_id,
        template=template(schedule.definition.template),
        overlap_policy=int(overlap),  # type: ignore[arg-type]
        trigger_depth=depth,
    )
    task.nominal_time.FromDatetime(nominal)
    task.fire_time.FromDatetime(now)
    if payload and not schedule.definition.has_payload:
        task.template.payload = payload
    if priority is not None:
        task.template.priority = priority
    return task.SerializeToString()


def work(template: task_pb2.TaskTemplate) -> Work:
    """What a blackout looks at, with the defaults that the queue applies."""
    priority = template.priority if template.HasField("priority") else DEFAULT_PRIORITY
    return Work(template.queue or DEFAULT_QUEUE, template.handler, priority)


def template(stored: bytes) -> task_pb2.TaskTemplate:
    """The template of a definition. Raises InvalidSchedule when it cannot be read."""
    try:
        return task_pb2.TaskTemplate.FromString(stored)
    except DecodeError:
        raise InvalidSchedule("template", "cannot be read") from None
