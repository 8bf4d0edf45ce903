"""Schedules and the versions of schedule templates that they are made of: neither is there without the other."""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from sqlalchemy.exc import IntegrityError

from service_kit.errors import Aborted


@contextmanager
def source_is_there() -> Iterator[None]:
    """Raises Aborted when the version was deleted since it was read, which a foreign key finds."""
    try:
        yield
    except (asyncpg.ForeignKeyViolationError, IntegrityError) as error:
        if "schedules_source" not in str(error):
            raise
        raise Aborted("the schedule template was deleted meanwhile; list the schedule templates") from error
