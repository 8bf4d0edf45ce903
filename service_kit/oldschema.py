"""Statements that fail because the database's schema is missing or too old, told to callers as what it is."""

from typing import Final

from service_kit.edge import Translate
from service_kit.errors import ServiceError, Unavailable

_UNDEFINED: Final = frozenset({"3F000", "42P01", "42703", "42883"})
"""SQLSTATEs of a schema, table, column or function that is not there."""


def old_schema(advice: str) -> Translate:
    """Answers such an error with `advice`; None for every other one, which is a bug of ours."""

    def translate(error: Exception) -> ServiceError | None:
        for candidate in (error, getattr(error, "orig", None), error.__cause__):
            if getattr(candidate, "sqlstate", None) in _UNDEFINED:
                return Unavailable(advice, reason="SCHEMA_NOT_CURRENT")
        return None

    return translate
