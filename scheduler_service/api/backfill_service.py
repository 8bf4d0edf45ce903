"""BackfillService: see backfill_service.proto."""

import hashlib
from datetime import datetime
from typing import Any, TypeAlias

from batonpass.scheduler.v1 import backfill_service_pb2 as pb
from batonpass.scheduler.v1.backfill_service_pb2_grpc import BackfillServiceServicer
from google.protobuf.timestamp_pb2 import Timestamp

from scheduler_service.api import decode
from scheduler_service.api.encode import set_instant
from scheduler_service.api.texts import refuse_nul
from scheduler_service.app.backfills import Backfills, Wanted
from scheduler_service.domain.backfill import (
    DEFAULT_OVERLAP,
    DEFAULT_PER_MINUTE,
    Backfill,
    BackfillState,
)
from scheduler_service.domain.daylight import REACH, is_within_reach
from scheduler_service.domain.errors import InvalidBackfill
from scheduler_service.domain.overlap import Overlap
from service_kit.caller import current_caller
from service_kit.pages import DEFAULT_SIZE, page_position, page_token

Context: TypeAlias = Any


class BackfillService(BackfillServiceServicer):
    """Decodes, calls, encodes."""

    def __init__(self, backfills: Backfills) -> None:
        self._backfills = backfills

    async def CreateBackfill(
        self, request: pb.CreateBackfillRequest, context: Context
    ) -> pb.CreateBackfillResponse:
        """Documented in backfill_service.proto."""
        refuse_nul(request)
        caller, asked = current_caller(), request.backfill
        wanted = _wanted(asked)
        if request.dry_run:
            made, first = await self._backfills.try_out(caller, asked.schedule_id, wanted)
        else:
            fingerprint = _fingerprint(asked.schedule_id, wanted)
            made, first = await self._backfills.create(
                caller, asked.schedule_id, wanted, request.request_id, fingerprint
            )
        response = pb.CreateBackfillResponse(backfill=encoded(made))
        for instant in first:
            response.first_times.add().FromDatetime(instant)
        return response

    async def GetBackfill(self, request: pb.GetBackfillRequest, context: Context) -> pb.GetBackfillResponse:
        """Documented in backfill_service.proto."""
        refuse_nul(request)
        found = await self._backfills.get(current_caller(), request.backfill_id)
        return pb.GetBackfillResponse(backfill=encoded(found))

    async def ListBackfills(
        self, request: pb.ListBackfillsRequest, context: Context
    ) -> pb.ListBackfillsResponse:
        """Documented in backfill_service.proto."""
        refuse_nul(request)
        caller, size = current_caller(), request.page_size or DEFAULT_SIZE
        filters = ("backfills", caller.namespace, request.schedule_id, request.state)
        before = page_position(filters, request.page_token) or ""
        state = BackfillState(request.state) if request.state else None
        found = await self._backfills.page(caller, request.schedule_id, state, before, size + 1)
        response = pb.ListBackfillsResponse(backfills=[encoded(each) for each in found[:size]])
        if len(found) > size:
            response.next_page_token = page_token(filters, found[size - 1].backfill_id)
        return response

    async def CancelBackfill(
        self, request: pb.CancelBackfillRequest, context: Context
    ) -> pb.CancelBackfillResponse:
        """Documented in backfill_service.proto."""
        refuse_nul(request)
        found = await self._backfills.cancel(current_caller(), request.backfill_id)
        return pb.CancelBackfillResponse(backfill=encoded(found))


def encoded(value: Backfill) -> pb.Backfill:
    """With its progress."""
    message = pb.Backfill(
        backfill_id=value.backfill_id,
        schedule_id=value.schedule_id,
        per_minute=value.per_minute,
        overlap_policy=int(value.overlap),  # type: ignore[arg-type]
        priority=value.priority,
        state=int(value.state),  # type: ignore[arg-type]
        total=value.total,
        fired=value.fired,
        accepted=value.accepted,
        refused=value.refused,
        actor=value.actor,
    )
    set_instant(message.from_time, value.from_at)
    set_instant(message.until_time, value.until_at)
    set_instant(message.next_time, value.next_at)
    set_instant(message.create_time, value.created_at)
    set_instant(message.end_time, value.ended_at)
    return message


def _wanted(asked: pb.Backfill) -> Wanted:
    return Wanted(
        from_at=_reachable(asked.from_time, "from_time"),
        until_at=_reachable(asked.until_time, "until_time"),
        per_minute=asked.per_minute or DEFAULT_PER_MINUTE,
        overlap=Overlap(asked.overlap_policy) or DEFAULT_OVERLAP,
        priority=asked.priority or None,
    )


def _reachable(stamp: Timestamp, field: str) -> datetime:
    instant = decode.instant(stamp, f"backfill.{field}")
    if not is_within_reach(instant):
        raise InvalidBackfill(field, REACH)
    return instant


def _fingerprint(schedule_id: str, wanted: Wanted) -> bytes:
    return hashlib.sha256(repr((schedule_id, wanted)).encode()).digest()
