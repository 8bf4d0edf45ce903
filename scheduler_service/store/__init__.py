"""What the scheduler keeps in PostgreSQL, schema `scheduler`; the only room that knows SQLAlchemy."""

from pathlib import Path
from typing import Final

SCHEMA: Final = "scheduler"
"""Schema of every table."""

MIGRATIONS: Final = Path(__file__).with_name("migrations")
"""Script location for `service_kit.migrate`."""

APPEND_ONLY: Final = ("actions",)
"""Tables that the running service may only read and insert into: the audit trail."""
