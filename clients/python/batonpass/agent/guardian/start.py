"""Starts the guardian, from the agent."""

import socket
import subprocess
import sys
from typing import Final

_PROGRAM: Final = (
    "import sys; sys.path[:] = sys.argv[2:];"
    "from batonpass.agent.guardian.main import main; main(int(sys.argv[1]))"
)


def start_guardian() -> tuple[subprocess.Popen[bytes], socket.socket]:
    """The guardian's process and the agent's end of the socket; closing that end is how it is told to
    finish.

    It has a session of its own, so that Ctrl-C reaches the agent alone, and looks for modules where the
    agent does.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-I", "-c", _PROGRAM, str(theirs.fileno()), *sys.path],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=(theirs.fileno(),),
            start_new_session=True,
        )
    return process, ours
