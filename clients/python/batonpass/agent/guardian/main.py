"""The guardian's program: `main(descriptor of its end of the socket)`."""

import signal
import socket

from batonpass.agent.guardian.server import Guardian
from batonpass.agent.guardian.system import adopt_orphans


def main(descriptor: int) -> None:
    """Serves the agent until it is gone.

    Signals that end programs are left to the agent, which drains and then closes the socket. They are
    handled, not ignored, since commands would inherit ignored ones.
    """
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    adopt_orphans()
    Guardian(socket.socket(fileno=descriptor)).run()
