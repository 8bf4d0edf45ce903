"""What callers are told about errors that are not the queue's own refusals."""

from typing import Final

from service_kit.errors import ServiceError, Unavailable

OLD_SCHEMA: Final = "the queue's schema is not current; run `python -m queue_service migrate`"

# Undefined table, column, function and schema: the program is newer than the schema.
_CODES: Final = frozenset({"42P01", "42703", "42883", "3F000"})


def translate(error: Exception) -> ServiceError | None:
    """Names a schema that is missing or too old as what it is; None for everything else."""
    causes = error, getattr(error, "orig", None)
    if any(getattr(cause, "sqlstate", None) in _CODES for cause in causes):
        return Unavailable(OLD_SCHEMA)
    return None
