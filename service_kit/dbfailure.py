"""What a failure of the database means for the caller: repeat, wait, or a bug of ours."""

from enum import Enum
from typing import Final

import asyncpg
from sqlalchemy import exc


class Failure(Enum):
    """The kinds of failure that are nobody's fault."""

    CONFLICT = "PostgreSQL chose this transaction to give way"
    LOST = "PostgreSQL is not reachable"
    BUSY = "PostgreSQL did not answer in time"


_CONFLICT: Final = frozenset({"40001", "40P01"})
# 25006: a read-only transaction, as on a former primary; 55006: the database is being copied or dropped.
_LOST: Final = frozenset({"25006", "57P01", "57P02", "57P03", "57P04", "57P05", "25P03", "55006"})
_BUSY: Final = frozenset({"55P03", "57014"})
_LOST_CLASSES: Final = ("08", "53", "58")


def classify(error: BaseException) -> Failure | None:
    """The kind of `error`; None for anything else (a bug, a broken rule, a refusal of ours).

    SQLAlchemy keeps the driver's error as `orig`, whose cause is asyncpg's own: those are looked at, other
    causes are not.
    """
    failure = _classify_one(error)
    wrapped = getattr(error, "orig", None)
    if failure is None and isinstance(wrapped, BaseException):
        failure = _classify_one(wrapped)
        if failure is None and wrapped.__cause__ is not None:
            failure = _classify_one(wrapped.__cause__)
    return failure


def _classify_one(error: BaseException) -> Failure | None:
    if isinstance(error, asyncpg.exceptions.InvalidCachedStatementError):
        return Failure.CONFLICT
    state = getattr(error, "sqlstate", None)
    if isinstance(state, str):
        return _by_state(state)
    if isinstance(error, asyncpg.InterfaceError):
        # Also raised for misuse ("another operation is in progress"), which must show up as the bug it is.
        return Failure.LOST if "clos" in str(error) or "released" in str(error) else None
    if isinstance(error, asyncpg.InternalClientError):
        # The server's last words arrived on an idle connection and the end of its stream has not yet.
        return Failure.LOST
    if isinstance(error, TimeoutError | exc.TimeoutError):
        return Failure.BUSY
    return Failure.LOST if isinstance(error, OSError) else None


def _by_state(state: str) -> Failure | None:
    if state in _CONFLICT:
        return Failure.CONFLICT
    if state in _BUSY:
        return Failure.BUSY
    return Failure.LOST if state in _LOST or state.startswith(_LOST_CLASSES) else None
