"""The name under which this program is called, for hints, usage and examples."""

import os
import re
from typing import Final

NAME: Final = "batonpass"
VARIABLE: Final = "BATONPASS_PROGRAM"

_CALL: Final = re.compile(rf"(?:^|(?<=[\s(])){NAME}(?= [a-z-])", re.MULTILINE)


def program() -> str:
    """What to type: BATONPASS_PROGRAM when a wrapper has set it, else `batonpass`."""
    return os.environ.get(VARIABLE) or NAME


def as_called(text: str) -> str:
    """`text` with the calls of this program in it spelled as the reader can type them."""
    return _CALL.sub(lambda _: program(), text)
