"""What a service refuses, as facts; the wire form is made in `rpc.py`.

    ServiceError
    |- InvalidArgument      the request breaks a rule; the same request always fails
    |- OutOfRange           a cursor or range that is no longer, or not yet, valid
    |- NotFound
    |- AlreadyExists
    |- FailedPrecondition   the state of the thing forbids it; a change elsewhere may help
    |- Aborted              lost a race; read again and repeat
    |- ResourceExhausted    a limit is reached; repeat after `retry_after`
    `- Unavailable          repeat after `retry_after`
       `- DatabaseUnavailable

The text of an error says what the caller can do, since it is shown to people.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import ClassVar, NamedTuple


class Violation(NamedTuple):
    """One broken rule: the field's path in the request, and the rule in words."""

    field: str
    description: str


class ServiceError(Exception):
    """A refusal with facts for programs and a sentence for people.

    `reason` is UPPER_SNAKE and stable, `metadata` names what the error is about (`task_id`, `state`),
    `retry_after` is set when repeating the same request can succeed.
    """

    default_reason: ClassVar[str] = "INTERNAL"
    default_retry_after: ClassVar[timedelta | None] = None

    def __init__(
        self,
        message: str,
        *,
        reason: str | None = None,
        metadata: Mapping[str, str] | None = None,
        violations: Iterable[tuple[str, str]] = (),
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or self.default_reason
        self.metadata: Mapping[str, str] = dict(metadata or {})
        self.violations = [Violation(*violation) for violation in violations]
        self.retry_after = retry_after or self.default_retry_after


class InvalidArgument(ServiceError):
    """The request breaks a rule, whatever the state of the service."""

    default_reason = "INVALID_ARGUMENT"


class OutOfRange(ServiceError):
    """A cursor, token or range lies outside of what is kept."""

    default_reason = "OUT_OF_RANGE"


class NotFound(ServiceError):
    """The named thing does not exist in the caller's namespace."""

    default_reason = "NOT_FOUND"


class AlreadyExists(ServiceError):
    """The name is taken by something else."""

    default_reason = "ALREADY_EXISTS"


class FailedPrecondition(ServiceError):
    """The thing is in a state that forbids the request."""

    default_reason = "FAILED_PRECONDITION"


class Aborted(ServiceError):
    """Somebody else changed the thing in between; read it again and repeat."""

    default_reason = "ABORTED"


class ResourceExhausted(ServiceError):
    """A limit is reached for now."""

    default_reason = "RESOURCE_EXHAUSTED"
    default_retry_after = timedelta(seconds=1)


class Unavailable(ServiceError):
    """Something that the service needs is away for now."""

    default_reason = "UNAVAILABLE"
    default_retry_after = timedelta(seconds=1)


class DatabaseUnavailable(Unavailable):
    """PostgreSQL could not be reached, or did not answer in time.

    `outcome_unknown` is true when the connection broke during COMMIT: the work may or may not be done.
    """

    default_reason = "DATABASE_UNAVAILABLE"

    def __init__(self, message: str, *, outcome_unknown: bool = False) -> None:
        super().__init__(message)
        self.outcome_unknown = outcome_unknown
