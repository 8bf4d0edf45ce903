"""Errors of libraries that mean something to callers; those of the domain are errors of the kit already."""

from typing import Final

from service_kit.errors import ServiceError, Unavailable

OLD_SCHEMA: Final = "the database has no schema of this version: run `python -m scheduler_service migrate`"

_UNDEFINED: Final = frozenset({"3F000", "42P01", "42703", "42883"})
"""SQLSTATEs of a schema, table, column or function that is not there."""


def translate(error: Exception) -> ServiceError | None:
    """What callers are told; None for a bug of ours."""
    for candidate in (error, getattr(error, "orig", None), getattr(error, "__cause__", None)):
        if getattr(candidate, "sqlstate", None) in _UNDEFINED:
            return Unavailable(OLD_SCHEMA, reason="SCHEMA_NOT_CURRENT")
    return None
