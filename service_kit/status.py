"""The one table from errors to gRPC statuses, and their details as Google's error model has them."""

from typing import Final

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from service_kit import errors
from service_kit.errors import ServiceError

DOMAIN: Final = "batonpass"
DETAILS_KEY: Final = "grpc-status-details-bin"

CODES: Final[tuple[tuple[type[ServiceError], grpc.StatusCode], ...]] = (
    (errors.InvalidArgument, grpc.StatusCode.INVALID_ARGUMENT),
    (errors.OutOfRange, grpc.StatusCode.OUT_OF_RANGE),
    (errors.NotFound, grpc.StatusCode.NOT_FOUND),
    (errors.AlreadyExists, grpc.StatusCode.ALREADY_EXISTS),
    (errors.FailedPrecondition, grpc.StatusCode.FAILED_PRECONDITION),
    (errors.Aborted, grpc.StatusCode.ABORTED),
    (errors.ResourceExhausted, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (errors.Unavailable, grpc.StatusCode.UNAVAILABLE),
)

# A status travels in metadata, which is limited to 16 KiB together with everything else in it.
_MOST_VIOLATIONS: Final = 20
_LONGEST_TEXT: Final = 200
_LONGEST_MESSAGE: Final = 1000


def status_code(error: ServiceError) -> grpc.StatusCode:
    """The gRPC code of the error's class; INTERNAL for a bare ServiceError."""
    return next((code for kind, code in CODES if isinstance(error, kind)), grpc.StatusCode.INTERNAL)


def details(error: ServiceError) -> list[Message]:
    """ErrorInfo always; BadRequest with violations, RetryInfo with a retry delay."""
    metadata = {key: _cut(value) for key, value in error.metadata.items()}
    found: list[Message] = [ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=metadata)]
    if error.violations:
        broken = [
            BadRequest.FieldViolation(field=_cut(violation.field), description=_cut(violation.description))
            for violation in error.violations[:_MOST_VIOLATIONS]
        ]
        found.append(BadRequest(field_violations=broken))
    if error.retry_after is not None:
        retry = RetryInfo()
        retry.retry_delay.FromTimedelta(error.retry_after)
        found.append(retry)
    return found


def to_status(error: ServiceError) -> Status:
    """The error as `google.rpc.Status`, as it travels in the trailing metadata and in messages."""
    status = Status(code=status_code(error).value[0], message=_cut(error.message, _LONGEST_MESSAGE))
    for detail in details(error):
        packed = AnyMessage()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def _cut(text: str, longest: int = _LONGEST_TEXT) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
