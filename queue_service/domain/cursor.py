"""Positions in what is read in commit order."""

import re
from typing import Final, NamedTuple

_FORM: Final = re.compile(r"(\d{1,20})\.(\d{1,19})")
_LARGEST_XID: Final = 2**64 - 1
_LARGEST_ID: Final = 2**63 - 1


class Cursor(NamedTuple):
    """Everything up to this transaction and, within it, this row has been read."""

    xid: int
    id: int

    def __str__(self) -> str:
        """As it travels: opaque to clients."""
        return f"{self.xid}.{self.id}"

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """The inverse of `str`. Raises ValueError for anything else."""
        match = _FORM.fullmatch(text)
        cursor = cls(int(match[1]), int(match[2])) if match else None
        if cursor is None or cursor.xid > _LARGEST_XID or cursor.id > _LARGEST_ID:
            raise ValueError("must be a cursor that WatchOutcomes sent, or empty")
        return cursor


START: Final = Cursor(0, 0)
"""Before everything."""
