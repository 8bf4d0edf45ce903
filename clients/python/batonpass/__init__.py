"""Batonpass for Python: client, worker and agent over the generated stubs.

    from batonpass import Client, Worker

Names are loaded when they are first used, so importing the package costs next to nothing.
"""

from typing import TYPE_CHECKING, Any

from batonpass.client import __all__ as _client_names
from batonpass.lazy import load

if TYPE_CHECKING:
    from batonpass.agent import NonRetryable, TaskContext, Worker
    from batonpass.client import (
        Aborted,
        AlreadyExists,
        AsyncClient,
        BatonpassError,
        Client,
        ConfigurationError,
        DeadlineExceeded,
        FailedPrecondition,
        InvalidArgument,
        NotFound,
        OutOfRange,
        PermissionDenied,
        ResourceExhausted,
        StaleLease,
        TaskState,
        TlsFiles,
        Unauthenticated,
        Unavailable,
        Violation,
        at,
        blackout,
        calendar_every,
        cron,
        every,
        has_ended,
        new_calendar,
        new_schedule,
        new_task,
        on_event,
        recurrence,
        template_source,
        uuid7,
    )

_HOMES = {
    "client": _client_names,
    "agent": ("NonRetryable", "TaskContext", "Worker"),
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
    "NonRetryable",
    "NotFound",
    "OutOfRange",
    "PermissionDenied",
    "ResourceExhausted",
    "StaleLease",
    "TaskContext",
    "TaskState",
    "TlsFiles",
    "Unauthenticated",
    "Unavailable",
    "Violation",
    "Worker",
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
