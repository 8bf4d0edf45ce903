"""The client library: `Client` for blocking code, `AsyncClient` for asyncio, and the errors both raise.

Names are loaded when they are first used, so importing the package costs next to nothing.
"""

from typing import TYPE_CHECKING, Any

from batonpass.lazy import load

if TYPE_CHECKING:
    from batonpass.client.async_client import AsyncClient
    from batonpass.client.calendars import blackout, new_calendar
    from batonpass.client.endpoints import TlsFiles
    from batonpass.client.errors import (
        Aborted,
        AlreadyExists,
        BatonpassError,
        ConfigurationError,
        DeadlineExceeded,
        FailedPrecondition,
        InvalidArgument,
        NotFound,
        OutOfRange,
        PermissionDenied,
        ResourceExhausted,
        StaleLease,
        Unauthenticated,
        Unavailable,
        Violation,
    )
    from batonpass.client.ids import uuid7
    from batonpass.client.schedule_message import template_source
    from batonpass.client.schedules import new_schedule
    from batonpass.client.specs import at, calendar_every, cron, every, on_event, recurrence
    from batonpass.client.sync_client import Client
    from batonpass.client.tasks import new_task
    from batonpass.client.waiting import has_ended
    from batonpass.queue.v1.task_pb2 import TaskState

_HOMES = {
    "async_client": ("AsyncClient",),
    "calendars": ("blackout", "new_calendar"),
    "endpoints": ("TlsFiles",),
    "errors": (
        "Aborted",
        "AlreadyExists",
        "BatonpassError",
        "ConfigurationError",
        "DeadlineExceeded",
        "FailedPrecondition",
        "InvalidArgument",
        "NotFound",
        "OutOfRange",
        "PermissionDenied",
        "ResourceExhausted",
        "StaleLease",
        "Unauthenticated",
        "Unavailable",
        "Violation",
    ),
    "ids": ("uuid7",),
    "schedule_message": ("template_source",),
    "specs": ("at", "calendar_every", "cron", "every", "on_event", "recurrence"),
    "sync_client": ("Client",),
    "schedules": ("new_schedule",),
    "tasks": ("TaskState", "new_task"),
    "waiting": ("has_ended",),
}

__all__ = [
    "Aborted",
    "AlreadyExists",
    "AsyncClient",
    "BatonpassError",
    "Client",
    "ConfigurationError",
    "DeadlineExceeded",
    "FailedPrecondition",
    "InvalidArgument",
    "NotFound",
    "OutOfRange",
    "PermissionDenied",
    "ResourceExhausted",
    "StaleLease",
    "TaskState",
    "TlsFiles",
    "Unauthenticated",
    "Unavailable",
    "Violation",
    "at",
    "blackout",
    "calendar_every",
    "cron",
    "every",
    "has_ended",
    "new_calendar",
    "new_schedule",
    "new_task",
    "on_event",
    "recurrence",
    "template_source",
    "uuid7",
]


def __getattr__(name: str) -> Any:
    return load(__name__, _HOMES, name)


def __dir__() -> list[str]:
    return __all__
