"""Transaction ids as values of a statement."""

from typing import Any

from sqlalchemy import Text, cast, literal

from queue_service.store.columns import Xid8


def xid(number: int) -> Any:
    """Sent as text: it has 64 bits without a sign, which no integer parameter has."""
    return cast(literal(str(number), Text), Xid8)
