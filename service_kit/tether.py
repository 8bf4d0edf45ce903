"""Ties a process to the life of its parent: nothing is left behind, even when the parent is killed.

    python -m service_kit.tether PARENT_PID SIGNAL COMMAND [ARGUMENT ...]

becomes COMMAND, which gets SIGNAL (a number) from the kernel the moment its parent ends. A wrapper, because
setting this between fork and exec from Python is unsafe once gRPC or any other thread runs. Linux only;
elsewhere COMMAND just runs.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def signal_when_parent_dies(number: int) -> None:
    """Asks the kernel for signal `number` when the parent's thread that forked this process ends.

    Changing the user id undoes it, so call it afterwards. Loads nothing: usable between fork and exec.
    """
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)


def adopt_orphans() -> None:
    """Makes this process the parent of every descendant whose own parent ends."""
    if _libc is not None:
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def follow(parent: int, number: int = signal.SIGTERM) -> None:
    """Ties this process to `parent`, which must be its parent; exits at once when that is gone already."""
    signal_when_parent_dies(number)
    if os.getppid() != parent:
        raise SystemExit(0)


def main(arguments: list[str]) -> None:
    """Never returns: becomes the command."""
    parent, number, *command = arguments
    follow(int(parent), int(number))
    os.execvp(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
