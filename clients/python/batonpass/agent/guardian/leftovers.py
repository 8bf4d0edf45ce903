"""What a guardian that was killed has left behind: processes below the commands that died with it."""

import signal
import time
from typing import Final

from batonpass.agent.guardian.processes import environment, process_table
from batonpass.agent.guardian.system import kill

_PAUSE: Final = 0.02
_LONGEST: Final = 5.0


def end_leftovers(mark: str) -> None:
    """Kills every process that was started with the entry `mark` (`NAME=VALUE`) in its environment.

    Returns when none is left, or after 5 s: one that changed its user cannot be killed, nor seen.
    """
    end = time.monotonic() + _LONGEST
    while time.monotonic() < end:
        marked = [one.pid for one in process_table() if not one.is_zombie and mark in environment(one.pid)]
        if not marked:
            return
        for pid in marked:
            kill(pid, signal.SIGKILL)
        time.sleep(_PAUSE)
