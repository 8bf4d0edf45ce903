"""The guardian's loop: one thread, one selector, no waiting anywhere else."""

import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final

from batonpass.agent import clock
from batonpass.agent.graces import LEASE_GRACE, TIMEOUT_GRACE
from batonpass.agent.guardian import system
from batonpass.agent.guardian.cadence import NEVER, Cadence
from batonpass.agent.guardian.command import Command
from batonpass.agent.guardian.tree import Tree
from batonpass.agent.guardian.wire import Ended, Frames, frame

AGENT_GRACE: Final = 2.0
"""Seconds that an agent which runs handlers itself has after its lease to say that it runs none any more."""


class Guardian:
    """Runs commands for the agent at the other end of `link` until that end closes and nothing is left."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._frames = Frames()
        self._outgoing = bytearray()
        self._wakeup = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._tree = Tree()
        self._commands: dict[int, Command] = {}
        self._agent = os.getppid()
        self._agent_gone = False
        self._runs_handlers = False
        self._lease: float | None = None
        self._agent_kill_at = NEVER
        self._cadence = Cadence()
        self._childless = True
        self._loose_ends = 0

    def run(self) -> None:
        """Returns when the agent is gone and every command has ended."""
        self._listen()
        while not (self._agent_gone and not self._commands):
            for key, _ in self._selector.select(self._rest()):
                key.data()
            self._reap()
            self._keep_time()
            if self._childless:
                self._finish(command for command in self._commands.values() if command.exit_code is not None)
            elif time.monotonic() >= self._cadence.next:
                self._look()

    def _listen(self) -> None:
        self._link.setblocking(False)
        self._selector.register(self._link, selectors.EVENT_READ, self._exchange)
        # A child that the agent forked may hold its end of the link open; this tells the end all the same.
        with suppress(OSError):
            agent = os.pidfd_open(self._agent)
            self._selector.register(agent, selectors.EVENT_READ, lambda: self._agent_ended(agent))
        for end in self._wakeup:
            end.setblocking(False)
        signal.set_wakeup_fd(self._wakeup[1].fileno(), warn_on_full_buffer=False)
        self._selector.register(self._wakeup[0], selectors.EVENT_READ, lambda: self._wakeup[0].recv(4096))

    def _receive(self) -> None:
        try:
            data = self._link.recv(256 * 1024)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        if not data:
            self._agent_ended(self._link)
            return
        for header, rest in self._frames.feed(data):
            self._actions[header.pop("op")](self, header, rest)

    def _agent_ended(self, source: Any) -> None:
        with suppress(KeyError):
            self._selector.unregister(source)
        self._agent_gone = True
        self._lease = None
        self._agent_kill_at = NEVER
        self._stop_all("lease", LEASE_GRACE)

    def _start(self, header: dict[str, Any], payload: bytes) -> None:
        key = header["id"]
        if self._lease is None or clock.now() >= self._lease:
            self._send(_not_started("the lease is over", "lease").header(key))
            return
        try:
            command = Command(key, header["argv"], header["env"], header["timeout"], payload)
        except (OSError, ValueError) as error:
            self._send(_not_started(f"cannot start {header['argv'][0]}: {error}").header(key))
            return
        self._commands[key] = command
        self._childless = False
        self._selector.register(command.output, selectors.EVENT_READ, lambda: self._read(command))
        self._cadence.started(command.started)

    def _stop(self, header: dict[str, Any], _: bytes) -> None:
        command = self._commands.get(header["id"])
        if command is not None:
            command.stop("asked", header["grace"], time.monotonic())

    def _renew(self, header: dict[str, Any], _: bytes) -> None:
        self._lease = header["until"]
        self._agent_kill_at = NEVER

    def _watch(self, header: dict[str, Any], _: bytes) -> None:
        self._runs_handlers = header["on"]
        if not self._runs_handlers:
            self._agent_kill_at = NEVER
        elif self._lease is None:
            self._agent_kill_at = time.monotonic() + AGENT_GRACE

    _actions: Final[dict[str, Callable[..., None]]] = {
        "start": _start,
        "stop": _stop,
        "lease": _renew,
        "watch": _watch,
    }

    def _read(self, command: Command) -> None:
        if not command.read():
            self._selector.unregister(command.output)

    def _rest(self) -> float | None:
        """Seconds until something is to be done without being told; None: only when told."""
        now = time.monotonic()
        due = min(
            [
                self._cadence.next,
                self._agent_kill_at,
                *(command.timeout_at for command in self._commands.values()),
                *(command.kill_at for command in self._commands.values() if command.kill_at is not None),
            ]
        )
        left = due - now
        if self._lease is not None:
            left = min(left, self._lease - clock.now())
        return None if left == NEVER else max(0.0, left)

    def _keep_time(self) -> None:
        now = time.monotonic()
        if self._lease is not None and clock.now() >= self._lease:
            self._lease_over(now)
        if now >= self._agent_kill_at:
            self._agent_kill_at = NEVER
            if os.getppid() == self._agent:
                system.kill(self._agent, signal.SIGKILL)
        for command in self._commands.values():
            if now >= command.timeout_at:
                command.stop("timeout", TIMEOUT_GRACE, now)
            if command.kill_at is not None and now >= command.kill_at:
                command.kill_at = None
                command.condemned = True
                command.signal(signal.SIGKILL)
                self._cadence.condemned(now)

    def _lease_over(self, now: float) -> None:
        self._lease = None
        self._stop_all("lease", LEASE_GRACE)
        if self._runs_handlers:
            self._agent_kill_at = now + AGENT_GRACE

    def _stop_all(self, reason: str, grace: float) -> None:
        for command in self._commands.values():
            command.stop(reason, grace, time.monotonic())

    def _reap(self) -> None:
        """Collects every child that has ended: first processes of commands, and orphans."""
        if self._childless:
            return
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                self._childless = True
                return
            if ended is None:
                return
            self._reap_one(ended.si_pid)

    def _reap_one(self, pid: int) -> None:
        first = next(
            (one for one in self._commands.values() if one.pid == pid and one.exit_code is None), None
        )
        owner = first or self._tree.owner(pid, self._commands)
        _, status, usage = os.wait4(pid, 0)
        if first is not None:
            first.first_process_ended(status, usage)
            self._cadence.condemned(time.monotonic())
            return
        if owner is not None:
            owner.count(usage)
        if owner is None or owner.condemned:
            self._loose_ends += 1

    def _look(self) -> None:
        """Measures what runs, kills what should not, and finishes commands of which nothing is left."""
        began = time.monotonic()
        loose_ends = self._loose_ends
        condemned = [command for command in self._commands.values() if command.condemned]
        busy = self._look_at_processes()
        self._reap()
        # An orphan that ended during the look may have left children which the look has missed.
        if loose_ends == self._loose_ends:
            self._finish(one for one in condemned if one.exit_code is not None and one.key not in busy)
        now = time.monotonic()
        youngest = max((command.started for command in self._commands.values()), default=None)
        sweeping = any(command.condemned for command in self._commands.values())
        self._cadence.looked(now, now - began, youngest, sweeping)

    def _look_at_processes(self) -> set[int]:
        """Keys of the condemned commands of which something still lives."""
        resident: dict[int, int] = {}
        busy: set[int] = set()
        for seen in self._tree.look(self._commands):
            for key in seen.owners if len(seen.owners) == 1 else ():
                resident[key] = resident.get(key, 0) + seen.resident
            if all(self._commands[key].condemned for key in seen.owners):
                system.kill(seen.pid, signal.SIGKILL)
                busy |= seen.owners
        for key, total in resident.items():
            self._commands[key].sampled(total)
        return busy

    def _finish(self, commands: Iterable[Command]) -> None:
        for command in list(commands):
            del self._commands[command.key]
            with suppress(KeyError):
                self._selector.unregister(command.output)
            ended = command.close()
            self._send(ended.header(command.key), command.content)
        if not self._commands:
            self._cadence.next = NEVER

    def _send(self, header: dict[str, Any], rest: bytes = b"") -> None:
        if self._agent_gone:
            return
        self._outgoing += frame(header, rest)
        self._write()

    def _write(self) -> None:
        try:
            sent = self._link.send(self._outgoing)
        except BlockingIOError:
            sent = 0
        except ConnectionError:
            # The end of the agent is noticed by reading.
            sent = len(self._outgoing)
        del self._outgoing[:sent]
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._outgoing else 0)
        if self._link in self._selector.get_map():
            self._selector.modify(self._link, wanted, self._exchange)

    def _exchange(self) -> None:
        if self._outgoing:
            self._write()
        self._receive()


def _not_started(error: str, stopped: str = "") -> Ended:
    return Ended(exit_code=127, stopped=stopped, cpu_seconds=0, peak_bytes=0, duration=0, error=error)
