"""ScheduleService: see schedule_service.proto."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeAlias

from batonpass.scheduler.v1 import schedule_pb2
from batonpass.scheduler.v1 import schedule_service_pb2 as pb
from batonpass.scheduler.v1.schedule_service_pb2_grpc import ScheduleServiceServicer

from scheduler_service.api import decode, encode, masks
from scheduler_service.api.creation import Makings
from scheduler_service.api.texts import refuse_nul
from scheduler_service.app import due_task
from scheduler_service.app.awaiting import Awaiting
from scheduler_service.app.creating import Answer, Creation, Creator
from scheduler_service.app.ledger import Ledger
from scheduler_service.app.preview import Preview
from scheduler_service.app.schedules import Schedules
from scheduler_service.domain.errors import InvalidSchedule
from scheduler_service.domain.fire import Disposition
from scheduler_service.domain.overlap import Overlap
from scheduler_service.domain.rules import check_definition
from scheduler_service.domain.schedule import Definition, Schedule
from scheduler_service.domain.template_errors import MadeOfTemplate
from service_kit.caller import current_caller
from service_kit.errors import ServiceError
from service_kit.pages import DEFAULT_SIZE, page_position, page_token
from service_kit.status import status_code
from service_kit.validation import validate

Context: TypeAlias = Any

DEFAULT_PREVIEW = 5


class ScheduleService(ScheduleServiceServicer):
    """Decodes, calls, encodes."""

    def __init__(
        self,
        creator: Creator,
        schedules: Schedules,
        ledger: Ledger,
        preview: Preview,
        awaiting: Awaiting,
        makings: Makings,
    ) -> None:
        self._creator = creator
        self._schedules = schedules
        self._ledger = ledger
        self._preview = preview
        self._awaiting = awaiting
        self._makings = makings

    async def CreateSchedule(
        self, request: pb.CreateScheduleRequest, context: Context
    ) -> pb.CreateScheduleResponse:
        """Documented in schedule_service.proto."""
        with _paths_below("schedule."):
            creation = await self._makings.creation(request)
            created = await self._creator.create(current_caller(), creation)
        return pb.CreateScheduleResponse(schedule=encode.schedule(created))

    async def BatchCreateSchedules(
        self, request: pb.BatchCreateSchedulesRequest, context: Context
    ) -> pb.BatchCreateSchedulesResponse:
        """Documented in schedule_service.proto."""
        items = [await self._checked(item) for item in request.requests]
        wanted = [item for item in items if isinstance(item, Creation)]
        answers = iter(await self._creator.create_all(current_caller(), wanted))
        verdicts = [
            _verdict(asked.schedule.schedule_id, next(answers) if isinstance(item, Creation) else item)
            for asked, item in zip(request.requests, items, strict=True)
        ]
        return pb.BatchCreateSchedulesResponse(verdicts=verdicts)

    async def GetSchedule(self, request: pb.GetScheduleRequest, context: Context) -> pb.GetScheduleResponse:
        """Documented in schedule_service.proto."""
        refuse_nul(request)
        found = await self._schedules.get(current_caller(), request.schedule_id)
        return pb.GetScheduleResponse(schedule=encode.schedule(found))

    async def ListSchedules(
        self, request: pb.ListSchedulesRequest, context: Context
    ) -> pb.ListSchedulesResponse:
        """Documented in schedule_service.proto."""
        refuse_nul(request)
        caller, size = current_caller(), request.page_size or DEFAULT_SIZE
        labels = dict(sorted(request.labels.items()))
        filters = ("schedules", caller.namespace, labels)
        after = page_position(filters, request.page_token) or ""
        found, more = await self._schedules.page(caller, after, size, labels)
        response = pb.ListSchedulesResponse(schedules=[encode.schedule(each) for each in found])
        if more:
            response.next_page_token = page_token(filters, found[-1].schedule_id)
        return response

    async def UpdateSchedule(
        self, request: pb.UpdateScheduleRequest, context: Context
    ) -> pb.UpdateScheduleResponse:
        """Documented in schedule_service.proto."""
        refuse_nul(request)
        paths = list(request.update_mask.paths)
        masks.check_paths(paths)
        if "source" in paths and request.schedule.HasField("source"):
            return await self._remake(request, paths)

        def redefine(schedule: Schedule) -> Definition:
            source = schedule.definition.source
            if source is not None and "source" not in paths and set(paths) - {"labels"}:
                raise MadeOfTemplate(schedule.schedule_id, source.template_id)
            merged = encode.definition(schedule.definition)
            merged.schedule_id = schedule.schedule_id
            masks.merge(request.schedule, merged, paths)
            validate(pb.CreateScheduleRequest(schedule=merged))
            return decode.definition(merged)

        with _paths_below("schedule."):
            updated = await self._schedules.update(
                current_caller(),
                request.schedule.schedule_id,
                redefine,
                request.generation,
                detail=", ".join(paths)[:1000],
            )
        return pb.UpdateScheduleResponse(schedule=encode.schedule(updated))

    async def _remake(self, request: pb.UpdateScheduleRequest, paths: list[str]) -> pb.UpdateScheduleResponse:
        """Lets a schedule be made of a schedule template from now on, or of another version."""
        validate(request.schedule.source)
        with _paths_below("schedule."):
            for name in paths:
                if name not in ("source", "labels"):
                    raise InvalidSchedule(name, "must not be in the mask: `source` says it")
            made = await self._makings.made_of(request.schedule, decode.source(request.schedule.source))

            def redefine(schedule: Schedule) -> Definition:
                labels = made.labels if "labels" in paths else schedule.definition.labels
                return replace(made, labels=labels)

            updated = await self._schedules.update(
                current_caller(),
                request.schedule.schedule_id,
                redefine,
                request.generation,
                detail=", ".join(paths),
            )
        return pb.UpdateScheduleResponse(schedule=encode.schedule(updated))

    async def DeleteSchedule(
        self, request: pb.DeleteScheduleRequest, context: Context
    ) -> pb.DeleteScheduleResponse:
        """Documented in schedule_service.proto."""
        refuse_nul(request)
        await self._schedules.delete(current_caller(), request.schedule_id)
        return pb.DeleteScheduleResponse()

    async def EnableSchedule(
        self, request: pb.EnableScheduleRequest, context: Context
    ) -> pb.EnableScheduleResponse:
        """Documented in schedule_service.proto."""
        refuse_nul(request)
        changed, backfill_id = await self._schedules.enable(
            current_caller(), request.schedule_id, request.note, backfill=request.backfill
        )
        return pb.EnableScheduleResponse(schedule=encode.schedule(changed), backfill_id=backfill_id)

    async def DisableSchedule(
        self, request: pb.DisableScheduleRequest, context: Context
    ) -> pb.DisableScheduleResponse:
        """Documented in schedule_service.proto."""
        refuse_nul(request)
        changed = await self._schedules.disable(current_caller(), request.schedule_id, request.note)
        return pb.DisableScheduleResponse(schedule=encode.schedule(changed))

    async def RunSchedule(self, request: pb.RunScheduleRequest, context: Context) -> pb.RunScheduleResponse:
        """Documented in schedule_service.proto."""
        refuse_nul(request)
        overlap = Overlap(request.overlap_policy) or Overlap.ALLOW_ALL
        fire = await self._schedules.run(current_caller(), request.schedule_id, request.request_id, overlap)
        return pb.RunScheduleResponse(fire=encode.fire(fire))

    async def PreviewSchedule(
        self, request: pb.PreviewScheduleRequest, context: Context
    ) -> pb.PreviewScheduleResponse:
        """Documented in schedule_service.proto."""
        refuse_nul(request)
        count = request.count or DEFAULT_PREVIEW
        after = decode.reachable(request.from_time, "from_time") if request.HasField("from_time") else None
        if request.HasField("draft"):
            with _paths_below("draft."):
                timing = decode.timing(_checked_draft(request.draft))
                work = due_task.work(request.draft.template)
                found = await self._preview.of_timing(
                    current_caller(), timing, work, request.draft.schedule_id, after, count
                )
        else:
            found = await self._preview.of_schedule(current_caller(), request.schedule_id, after, count)
        return pb.PreviewScheduleResponse(
            fires=[encode.previewed(each) for each in found.fires], description=found.description
        )

    async def ListFires(self, request: pb.ListFiresRequest, context: Context) -> pb.ListFiresResponse:
        """Documented in schedule_service.proto."""
        refuse_nul(request)
        caller, size = current_caller(), request.page_size or DEFAULT_SIZE
        filters = ("fires", caller.namespace, request.schedule_id, request.disposition, request.backfill_id)
        stored = page_position(filters, request.page_token)
        before = None if stored is None else (datetime.fromisoformat(stored[0]), int(stored[1]))
        disposition = Disposition(request.disposition) if request.disposition else None
        found = await self._ledger.page(
            caller, request.schedule_id, disposition, before, size + 1, request.backfill_id
        )
        response = pb.ListFiresResponse(fires=[encode.fire(fire) for _, fire in found[:size]])
        if len(found) > size:
            number, fire = found[size - 1]
            response.next_page_token = page_token(filters, [fire.nominal.isoformat(), number])
        return response

    async def GetScheduleStats(
        self, request: pb.GetScheduleStatsRequest, context: Context
    ) -> pb.GetScheduleStatsResponse:
        """Documented in schedule_service.proto."""
        refuse_nul(request)
        return encode.totals(await self._ledger.totals(current_caller(), request.schedule_id or None))

    async def ListMovedSchedules(
        self, request: pb.ListMovedSchedulesRequest, context: Context
    ) -> pb.ListMovedSchedulesResponse:
        """Documented in schedule_service.proto."""
        caller, size = current_caller(), request.page_size or DEFAULT_SIZE
        filters = ("moved", caller.namespace)
        before = page_position(filters, request.page_token)
        found = await self._ledger.moved(caller, before, size + 1)
        response = pb.ListMovedSchedulesResponse(schedules=[encode.moved(each) for each in found[:size]])
        if len(found) > size:
            response.next_page_token = page_token(filters, found[size - 1].number)
        return response

    async def AwaitHandover(
        self, request: pb.AwaitHandoverRequest, context: Context
    ) -> pb.AwaitHandoverResponse:
        """Documented in schedule_service.proto."""
        return pb.AwaitHandoverResponse(settled=await self._awaiting.handover(current_caller()))

    async def _checked(self, request: pb.CreateScheduleRequest) -> Creation | ServiceError:
        """One item of a batch, or what is wrong with it."""
        try:
            validate(request)
            with _paths_below("schedule."):
                return await self._makings.creation(request)
        except ServiceError as error:
            return error


def _verdict(schedule_id: str, answer: Answer) -> pb.CreateVerdict:
    if not isinstance(answer, ServiceError):
        return pb.CreateVerdict(schedule_id=schedule_id)
    if isinstance(answer, InvalidSchedule) and not answer.field.startswith("schedule."):
        answer = answer.below("schedule.")
    return pb.CreateVerdict(
        schedule_id=schedule_id,
        code=status_code(answer).value[0],
        error=answer.message,
        reason=answer.reason,
    )


def _checked_draft(draft: schedule_pb2.Schedule) -> schedule_pb2.Schedule:
    """The draft, held against the rules of the protos as if it had an id and a handler."""
    whole = schedule_pb2.Schedule()
    whole.CopyFrom(draft)
    whole.schedule_id = draft.schedule_id or "draft"
    whole.template.handler = draft.template.handler or "name:draft"
    validate(pb.CreateScheduleRequest(schedule=whole))
    check_definition(decode.definition(whole), whole.schedule_id)
    return draft


@contextmanager
def _paths_below(prefix: str) -> Iterator[None]:
    """Violations name their path from the request on."""
    try:
        yield
    except InvalidSchedule as error:
        raise error.below(prefix) from error
