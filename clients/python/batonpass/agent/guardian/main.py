"""The guardian's program: `main(descriptor of its end of the socket)`."""

import os
import signal
import socket

from batonpass.agent.guardian.processes import descendants
from batonpass.agent.guardian.server import Guardian
from batonpass.agent.guardian.system import adopt_orphans, kill


def main(descriptor: int) -> None:
    """Serves the agent until it is gone.

    Signals that end programs are left to the agent, which drains and then closes the socket. They are
    handled, not ignored, since commands would inherit ignored ones.
    """
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    adopt_orphans()
    try:
        Guardian(socket.socket(fileno=descriptor)).run()
    finally:
        for process in descendants(os.getpid()):
            kill(process.pid, signal.SIGKILL)
