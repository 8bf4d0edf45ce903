"""What requests ask to create, also when it is made of a schedule template."""

import hashlib
from dataclasses import replace

from batonpass.scheduler.v1 import schedule_pb2
from batonpass.scheduler.v1 import schedule_service_pb2 as pb

from scheduler_service.api import decode, encode
from scheduler_service.api.template_body import definition_of, source_of
from scheduler_service.api.texts import refuse_nul
from scheduler_service.app.creating import Creation
from scheduler_service.app.templates import Templates
from scheduler_service.domain.schedule import Definition, TemplateSource
from service_kit.caller import current_caller


class Makings:
    """Turns requests into definitions; a source without a version is pinned to the newest one."""

    def __init__(self, templates: Templates) -> None:
        self._templates = templates

    async def creation(self, request: pb.CreateScheduleRequest) -> Creation:
        """Raises InvalidSchedule with paths within the schedule, TemplateNotFound."""
        refuse_nul(request)
        schedule = request.schedule
        if not schedule.HasField("source"):
            return _creation(request, decode.definition(schedule))
        return _creation(request, await self.made_of(schedule, source_of(schedule)))

    async def made_of(self, schedule: schedule_pb2.Schedule, source: TemplateSource) -> Definition:
        """What a schedule is that is made of `source`, with its own labels."""
        template = await self._templates.get(current_caller(), source.template_id, source.version)
        made = definition_of(template, schedule.schedule_id, source)
        return replace(made, labels=tuple(sorted(schedule.labels.items())))


def _creation(request: pb.CreateScheduleRequest, definition: Definition) -> Creation:
    return Creation(
        schedule_id=request.schedule.schedule_id,
        definition=definition,
        enabled=not request.schedule.disabled,
        request_id=request.request_id,
        fingerprint=_fingerprint(request.schedule, definition),
    )


def _fingerprint(schedule: schedule_pb2.Schedule, definition: Definition) -> bytes:
    """Of what is asked for: the same when a newer version of its schedule template is there by then."""
    if schedule.HasField("source"):
        asked = schedule_pb2.Schedule(source=schedule.source, labels=schedule.labels)
    else:
        asked = encode.definition(definition)
    asked.schedule_id = schedule.schedule_id
    asked.disabled = schedule.disabled
    return hashlib.sha256(asked.SerializeToString(deterministic=True)).digest()
