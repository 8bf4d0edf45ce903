"""From errors to google.rpc.Status."""

from datetime import timedelta

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo

from service_kit import errors, status
from service_kit.errors import DatabaseUnavailable, InvalidArgument, ResourceExhausted, ServiceError


def concrete_errors() -> list[type[ServiceError]]:
    kinds = (kind for kind in vars(errors).values() if isinstance(kind, type))
    return [kind for kind in kinds if issubclass(kind, ServiceError) and kind is not ServiceError]


@pytest.mark.parametrize("kind", concrete_errors())
def test_every_error_has_a_code_of_its_own(kind: type[ServiceError]) -> None:
    assert status.status_code(kind("x")) is not grpc.StatusCode.INTERNAL
    assert kind.default_reason.isupper()


def test_bare_service_error_is_internal() -> None:
    assert status.status_code(ServiceError("x")) is grpc.StatusCode.INTERNAL


def test_details_carry_reason_violations_and_retry_delay() -> None:
    error = ResourceExhausted(
        "full",
        reason="QUEUE_FULL",
        metadata={"queue": "default"},
        violations=[("tasks[0]", "one too many")],
        retry_after=timedelta(seconds=2),
    )
    info, bad, retry = status.details(error)
    assert info == ErrorInfo(reason="QUEUE_FULL", domain="batonpass", metadata={"queue": "default"})
    assert bad == BadRequest(
        field_violations=[BadRequest.FieldViolation(field="tasks[0]", description="one too many")]
    )
    assert isinstance(retry, RetryInfo)
    assert retry.retry_delay.ToTimedelta() == timedelta(seconds=2)


def test_status_fits_into_metadata_however_much_is_wrong() -> None:
    error = InvalidArgument("m" * 10_000, violations=[("f" * 500, "d" * 5000)] * 500)
    assert status.to_status(error).ByteSize() < 12 * 1024


def test_unavailable_says_when_to_come_back() -> None:
    assert DatabaseUnavailable("away").retry_after == timedelta(seconds=1)
    assert not DatabaseUnavailable("away").outcome_unknown
