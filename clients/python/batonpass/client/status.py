"""Reads a failed call's rich status (google.rpc.Status) into an error of the tree."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, Protocol

from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from batonpass.client.errors import BY_CODE, BY_REASON, BatonpassError, Violation

_DETAILS_KEY = "grpc-status-details-bin"


class FailedCall(Protocol):
    """What sync and asyncio calls have in common when they have failed."""

    def code(self) -> Any: ...

    def details(self) -> str | None: ...

    def trailing_metadata(self) -> Iterable[tuple[str, str | bytes]] | None: ...


def error_of(call: FailedCall) -> BatonpassError:
    """The error that a failed call stands for.

    Details that cannot be read are left out, the status never is.
    """
    code = call.code().name
    details = _details(call)
    info = _first(details, error_details_pb2.ErrorInfo)
    retry = _first(details, error_details_pb2.RetryInfo)
    kind = BY_REASON.get(info.reason) or BY_CODE.get(code, BatonpassError)
    return kind(
        call.details() or code,
        code=code,
        reason=info.reason,
        metadata=dict(info.metadata),
        violations=_violations(_first(details, error_details_pb2.BadRequest)),
        retry_after=_seconds(retry) if retry.HasField("retry_delay") else None,
    )


def _details(call: FailedCall) -> Sequence[Any]:
    for key, value in call.trailing_metadata() or ():
        if key == _DETAILS_KEY and isinstance(value, bytes):
            try:
                return list(status_pb2.Status.FromString(value).details)
            except DecodeError:
                return ()
    return ()


def _first(details: Sequence[Any], kind: Any) -> Any:
    """The first detail of this type, or an empty one."""
    found = kind()
    for detail in details:
        if detail.Is(kind.DESCRIPTOR):
            try:
                detail.Unpack(found)
            except DecodeError:
                return kind()
            break
    return found


def _violations(bad: Any) -> list[Violation]:
    return [Violation(one.field, one.description) for one in bad.field_violations]


def _seconds(retry: Any) -> timedelta:
    delay: timedelta = retry.retry_delay.ToTimedelta()
    return delay
