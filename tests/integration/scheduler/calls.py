"""Calls of the scheduler's API in tests: messages, deadlines, refusals."""

from collections.abc import Awaitable
from types import SimpleNamespace
from typing import Any, cast

import grpc
import grpc.aio
import pytest
from batonpass.options import caller_metadata
from batonpass.queue.v1.task_pb2 import (
    TaskTemplate,
)
from batonpass.scheduler.v1 import backfill_service_pb2, calendar_service_pb2, template_service_pb2
from batonpass.scheduler.v1 import event_service_pb2 as events_pb
from batonpass.scheduler.v1 import schedule_pb2 as pb
from batonpass.scheduler.v1 import schedule_service_pb2 as service_pb
from batonpass.scheduler.v1.backfill_service_pb2_grpc import BackfillServiceStub
from batonpass.scheduler.v1.calendar_service_pb2_grpc import CalendarServiceStub
from batonpass.scheduler.v1.event_service_pb2_grpc import EventServiceStub
from batonpass.scheduler.v1.schedule_service_pb2_grpc import (
    ScheduleServiceStub,
)
from batonpass.scheduler.v1.template_service_pb2_grpc import TemplateServiceStub
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from grpc_status import rpc_status

Code = grpc.StatusCode
INVALID, NOT_FOUND, EXISTS, ABORTED, PRECONDITION = (
    Code.INVALID_ARGUMENT,
    Code.NOT_FOUND,
    Code.ALREADY_EXISTS,
    Code.ABORTED,
    Code.FAILED_PRECONDITION,
)

_SERVICES: list[tuple[Any, Any]] = [
    (service_pb, ScheduleServiceStub),
    (events_pb, EventServiceStub),
    (calendar_service_pb2, CalendarServiceStub),
    (template_service_pb2, TemplateServiceStub),
    (backfill_service_pb2, BackfillServiceStub),
]


class Api:
    """Calls with a deadline, a namespace and an actor; the request by the method's name."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stubs: list[tuple[Any, Any]] = [(module, stub(channel)) for module, stub in _SERVICES]

    def __getattr__(self, method: str) -> Any:
        def call(namespace: str = "default", timeout: float = 10, **fields: Any) -> Awaitable[Any]:
            module, stub = next(one for one in self._stubs if hasattr(one[0], f"{method}Request"))
            request = getattr(module, f"{method}Request")(**fields)
            metadata = caller_metadata(namespace, "ann")
            return cast(Awaitable[Any], getattr(stub, method)(request, timeout=timeout, metadata=metadata))

        return call


def cron(expression: str = "*/5 * * * *", **fields: Any) -> pb.ScheduleSpec:
    return pb.ScheduleSpec(cron=pb.CronSpec(expression=expression, **fields))


def schedule(schedule_id: str = "a", *specs: pb.ScheduleSpec, **fields: Any) -> pb.Schedule:
    fields.setdefault("template", TaskTemplate(handler="name:work"))
    return pb.Schedule(schedule_id=schedule_id, specs=specs or [cron()], **fields)


async def refused(call: Awaitable[object], code: grpc.StatusCode) -> SimpleNamespace:
    """The refusal's message, reason, violations by field, and when to try again."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    assert caught.value.code() is code, caught.value.details()
    status = rpc_status.from_call(cast(grpc.Call, caught.value))
    found = SimpleNamespace(message=caught.value.details(), reason="", violations={}, retry_after=None)
    for detail in status.details:
        if detail.Is(ErrorInfo.DESCRIPTOR):
            info = ErrorInfo()
            detail.Unpack(info)
            found.reason = info.reason
        if detail.Is(RetryInfo.DESCRIPTOR):
            retry = RetryInfo()
            detail.Unpack(retry)
            found.retry_after = retry.retry_delay.ToTimedelta()
        if detail.Is(BadRequest.DESCRIPTOR):
            bad = BadRequest()
            detail.Unpack(bad)
            found.violations = {each.field: each.description for each in bad.field_violations}
    return found


def stamp(text: str) -> Timestamp:
    made = Timestamp()
    made.FromJsonString(text)
    return made
