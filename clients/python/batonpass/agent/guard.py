"""The agent's side of the guardian."""

import asyncio
import contextlib
import logging
import socket
import subprocess
from collections.abc import Callable
from typing import Any, Final

from batonpass.agent.guardian.leftovers import end_leftovers
from batonpass.agent.guardian.start import start_guardian
from batonpass.agent.guardian.wire import Ended, Frames, frame

log = logging.getLogger(__name__)

_END: Final = 5.0
"""Seconds for the guardian to end when nothing runs."""

_AGAIN: Final = 1.0
"""Seconds between tries to start another guardian."""


class Guard(asyncio.Protocol):
    """Starts the guardian, tells it what to run and how long the lease is, and replaces it when it dies.

    `ended` is called with each end. `died` is called when the guardian was killed, `replaced` when nothing of
    what it ran is left and another one is there. `mark` is in the environment of every command, by which what
    a guardian left behind is found.
    """

    def __init__(self, mark: str) -> None:
        """Starts the guardian's process at once: no event loop and no gRPC may be there yet."""
        self.mark = mark
        self.ended: Callable[[int, Ended, bytes], None] = lambda *_: None
        self.died: Callable[[], None] = lambda: None
        self.replaced: Callable[[], None] = lambda: None
        self.watching = False
        self._until: float | None = None
        self._process: subprocess.Popen[bytes]
        self._link: socket.socket
        self._process, self._link = start_guardian()
        self._frames = Frames()
        self._transport: asyncio.WriteTransport | None = None
        self._unsent: list[bytes] = []
        self._closing = False
        self._replacing: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """Begins to serve the running event loop."""
        self._link.setblocking(False)
        await asyncio.get_running_loop().create_connection(lambda: self, sock=self._link)

    def start(self, key: int, argv: list[str], env: dict[str, str], timeout: float, payload: bytes) -> None:
        """Runs a command; `ended` is called with `key` when it is over."""
        env = {**env, "BATONPASS_AGENT": self.mark}
        self._send({"op": "start", "id": key, "argv": argv, "env": env, "timeout": timeout}, payload)

    def stop(self, key: int, grace: float) -> None:
        """Stops a command."""
        self._send({"op": "stop", "id": key, "grace": grace})

    def renew(self, until: float) -> None:
        """Everything may run until then (seconds of the lease clock)."""
        self._until = until
        self._send({"op": "lease", "until": until})

    def watch(self, on: bool) -> None:
        """Whether this process runs handlers, which must not outlive the lease either."""
        if on is not self.watching:
            self.watching = on
            self._send({"op": "watch", "on": on})

    async def close(self) -> None:
        """Lets the guardian end; what still runs is ended by it."""
        self._closing = True
        if self._replacing is not None:
            self._replacing.cancel()
        if self._transport is not None:
            self._transport.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(self._process.wait, _END)

    def discard(self) -> None:
        """Ends the guardian before it was connected."""
        self._link.close()
        self._process.wait(_END)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        unsent, self._unsent = self._unsent, []
        for data in unsent:
            transport.write(data)

    def data_received(self, data: bytes) -> None:
        for header, rest in self._frames.feed(data):
            self.ended(header["id"], Ended.of(header), rest)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._closing:
            return
        log.error("the guardian has died, and with it every command; starting another one")
        self.died()
        if self._until is not None:
            self.renew(self._until)
        self._send({"op": "watch", "on": self.watching})
        self._replacing = asyncio.get_running_loop().create_task(self._replace())

    async def _replace(self) -> None:
        self._process.kill()
        await asyncio.to_thread(self._process.wait)
        await asyncio.to_thread(end_leftovers, f"BATONPASS_AGENT={self.mark}")
        self._frames = Frames()
        while True:
            try:
                self._process, self._link = start_guardian()
                break
            except OSError as error:
                log.error("no guardian can be started: %s", error)
                await asyncio.sleep(_AGAIN)
        await self.connect()
        self.replaced()

    def _send(self, header: dict[str, Any], rest: bytes = b"") -> None:
        data = frame(header, rest)
        if self._transport is None:
            self._unsent.append(data)
        else:
            self._transport.write(data)
