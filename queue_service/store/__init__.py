"""What the queue keeps in PostgreSQL, schema `queue`; the only room that knows SQLAlchemy."""

from pathlib import Path
from typing import Final

SCHEMA: Final = "queue"
"""Schema of every table."""

MIGRATIONS: Final = Path(__file__).with_name("migrations")
"""Script location for `service_kit.migrate`."""

APPEND_ONLY: Final = ("actions", "transitions")
"""Tables that the running service may only read and insert into: the audit trails."""
