"""A schema that is too old is no bug of the service."""

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError

from service_kit.errors import Unavailable
from service_kit.oldschema import old_schema

translate = old_schema("migrate first")


@pytest.mark.parametrize(
    "missing",
    [
        asyncpg.InvalidSchemaNameError,
        asyncpg.UndefinedTableError,
        asyncpg.UndefinedColumnError,
        asyncpg.UndefinedFunctionError,
    ],
)
def test_what_is_missing_is_told_with_advice_also_when_wrapped(missing: type[Exception]) -> None:
    wrapped = DBAPIError("SELECT 1", None, missing("not there"))
    for error in (missing("not there"), wrapped):
        told = translate(error)
        assert isinstance(told, Unavailable)
        assert (told.message, told.reason) == ("migrate first", "SCHEMA_NOT_CURRENT")


def test_any_other_error_is_not_known() -> None:
    for error in (asyncpg.UniqueViolationError("twice"), ValueError("no")):
        assert translate(error) is None
