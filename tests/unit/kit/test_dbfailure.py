"""What a failure of the database means."""

import asyncpg
import pytest
from sqlalchemy import exc

from service_kit.dbfailure import Failure, classify
from service_kit.errors import AlreadyExists


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (asyncpg.SerializationError("x"), Failure.CONFLICT),
        (asyncpg.DeadlockDetectedError("x"), Failure.CONFLICT),
        (asyncpg.exceptions.InvalidCachedStatementError("x"), Failure.CONFLICT),
        (asyncpg.CannotConnectNowError("x"), Failure.LOST),
        (asyncpg.AdminShutdownError("x"), Failure.LOST),
        (asyncpg.TooManyConnectionsError("x"), Failure.LOST),
        (asyncpg.DiskFullError("x"), Failure.LOST),
        (asyncpg.InterfaceError("connection is closed"), Failure.LOST),
        (ConnectionRefusedError(), Failure.LOST),
        (asyncpg.LockNotAvailableError("x"), Failure.BUSY),
        (asyncpg.QueryCanceledError("x"), Failure.BUSY),
        (TimeoutError(), Failure.BUSY),
        (exc.TimeoutError("pool"), Failure.BUSY),
        (asyncpg.UniqueViolationError("x"), None),
        (asyncpg.UndefinedTableError("x"), None),
        (asyncpg.InterfaceError("another operation is in progress"), None),
        (ValueError("x"), None),
    ],
)
def test_kinds(error: Exception, failure: Failure | None) -> None:
    assert classify(error) is failure


def test_wrapped_errors_are_recognised() -> None:
    adapter = Exception("adapter")
    adapter.__cause__ = asyncpg.DeadlockDetectedError("x")
    assert classify(exc.DBAPIError("SELECT", {}, adapter)) is Failure.CONFLICT


def test_refusal_that_was_made_from_a_failure_stays_a_refusal() -> None:
    refusal = AlreadyExists("taken")
    refusal.__cause__ = ConnectionResetError()
    assert classify(refusal) is None
