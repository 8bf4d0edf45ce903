"""The named statements of `queries.sql`."""

from pathlib import Path
from typing import Final

from service_kit.queries import load_queries

SQL: Final = load_queries(Path(__file__).with_name("queries.sql"))
