"""What the guardian asks of Linux beyond the standard library."""

import ctypes
import os
import signal
from contextlib import suppress
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36

_LIBC: Final = ctypes.CDLL(None, use_errno=True)


def adopt_orphans() -> None:
    """Makes this process the parent of every descendant whose own parent ends, so that none gets away."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(parent: int) -> None:
    """Asks for SIGKILL when the parent, process `parent`, ends; ends at once when it has ended before."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def kill(pid: int, number: signal.Signals) -> None:
    """Signals one process; one that is gone is fine."""
    # PermissionError: it changed its user, and only root could signal it.
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def kill_group(group: int, number: signal.Signals) -> None:
    """Signals a process group; one that is empty is fine."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _prctl(option: int, value: int) -> None:
    if _LIBC.prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
