"""Schedules and the versions of schedule templates of which they are made: neither is there alone."""

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
