"""What can go wrong in a call, as facts.

    BatonpassError
    |- ConfigurationError    no endpoint is known, or the connection would not be safe; nothing was sent
    |- InvalidArgument       the request breaks a rule (`violations` say which); the same request always fails
    |- OutOfRange            a cursor that is no longer valid
    |- NotFound
    |- AlreadyExists
    |- FailedPrecondition    the state of the thing forbids it
    |  `- StaleLease         the lease token is not the current one: stop the work
    |- Aborted               somebody else changed it in between: read again and repeat
    |- ResourceExhausted     a limit is reached: repeat after `retry_after`
    |- DeadlineExceeded      no answer in time: it may or may not have been done
    |- Unavailable           the service, or its database, is away: repeat after `retry_after`
    |- Unauthenticated
    `- PermissionDenied

Anything else (a defect of the service) is a plain BatonpassError.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import ClassVar, NamedTuple


class Violation(NamedTuple):
    """One broken rule: the field's path in the request, and the rule in words."""

    field: str
    description: str


class BatonpassError(Exception):
    """A call that failed.

    `code` is the name of the gRPC status (`NOT_FOUND`), `reason` a stable word that says more
    (`TASK_ENDED`; empty when the service gave none), `metadata` names what it is about, `retry_after` is
    set when repeating can help.
    """

    default_code: ClassVar[str] = "UNKNOWN"

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[Violation] = (),
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.reason = reason
        self.metadata: Mapping[str, str] = dict(metadata or {})
        self.violations = tuple(violations)
        self.retry_after = retry_after

    def __str__(self) -> str:
        broken = "; ".join(f"{field}: {description}" for field, description in self.violations)
        return f"{self.message} ({broken})" if broken and broken not in self.message else self.message


class ConfigurationError(BatonpassError):
    """The client cannot call anything as it is set up; the text says what to set."""

    default_code = "FAILED_PRECONDITION"


class InvalidArgument(BatonpassError):
    """The request breaks a rule."""

    default_code = "INVALID_ARGUMENT"


class OutOfRange(BatonpassError):
    """A cursor lies outside of what is kept."""

    default_code = "OUT_OF_RANGE"


class NotFound(BatonpassError):
    """The named thing does not exist in the namespace."""

    default_code = "NOT_FOUND"


class AlreadyExists(BatonpassError):
    """The name is taken by something else."""

    default_code = "ALREADY_EXISTS"


class FailedPrecondition(BatonpassError):
    """The thing is in a state that forbids the request."""

    default_code = "FAILED_PRECONDITION"


class StaleLease(FailedPrecondition):
    """The lease is somebody else's by now, or over: stop the work, its result does not count."""


class Aborted(BatonpassError):
    """Somebody else changed the thing in between."""

    default_code = "ABORTED"


class ResourceExhausted(BatonpassError):
    """A limit is reached for now, or a message is too large."""

    default_code = "RESOURCE_EXHAUSTED"


class DeadlineExceeded(BatonpassError):
    """No answer arrived in time; whether the call took effect is not known."""

    default_code = "DEADLINE_EXCEEDED"


class Unavailable(BatonpassError):
    """The service could not be reached or cannot work for now."""

    default_code = "UNAVAILABLE"


class Unauthenticated(BatonpassError):
    """The service does not know who is calling."""

    default_code = "UNAUTHENTICATED"


class PermissionDenied(BatonpassError):
    """The caller may not do this."""

    default_code = "PERMISSION_DENIED"


BY_CODE: Mapping[str, type[BatonpassError]] = {
    kind.default_code: kind
    for kind in (
        InvalidArgument,
        OutOfRange,
        NotFound,
        AlreadyExists,
        FailedPrecondition,
        Aborted,
        ResourceExhausted,
        DeadlineExceeded,
        Unavailable,
        Unauthenticated,
        PermissionDenied,
    )
}
"""The error of each gRPC status code that has one of its own."""

BY_REASON: Mapping[str, type[BatonpassError]] = {"STALE_LEASE": StaleLease}
"""Errors told apart by their reason rather than by their status code."""
