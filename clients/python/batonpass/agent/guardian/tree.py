"""Which processes belong to which command, also those that left its process group or lost their parent."""

import os
from collections.abc import Mapping
from typing import Final, NamedTuple

from batonpass.agent.guardian.command import Command
from batonpass.agent.guardian.processes import Process, descendants, environment

Keys = frozenset[int]

NOBODY: Final[Keys] = frozenset()


class Seen(NamedTuple):
    """One living process: the commands it may belong to (as a rule one), resident memory in bytes."""

    pid: int
    owners: Keys
    resident: int


class Tree:
    """Looks at all descendants of this process, which is a subreaper and so the parent of every orphan.

    A process belongs to its parent's command. An orphan belongs to the command it was last seen with, else
    to that of its session, else to the one whose environment it has. One that hid all of that may belong to
    any command that ran when it was first seen, and to nobody when those have ended.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], Keys] = {}
        self._owners: dict[int, Keys] = {}

    def look(self, commands: Mapping[int, Command]) -> list[Seen]:
        """Every living descendant."""
        roots = {command.pid: command.key for command in commands.values() if command.exit_code is None}
        known: dict[tuple[int, int], Keys] = {}
        owners: dict[int, Keys] = {}
        seen = []
        for process in descendants(os.getpid()):
            if process.pid in roots:
                mine = frozenset((roots[process.pid],))
            else:
                mine = (
                    owners.get(process.parent) or self._known.get(process.ident) or _guess(process, commands)
                )
            known[process.ident] = owners[process.pid] = mine
            if not process.is_zombie:
                seen.append(Seen(process.pid, mine & commands.keys(), process.resident))
        self._known, self._owners = known, owners
        return seen

    def owner(self, pid: int, commands: Mapping[int, Command]) -> Command | None:
        """The command of a descendant that has ended and is not reaped yet; None when it is not certain."""
        keys = self._owners.get(pid) or _by_session(os.getsid(pid), commands)
        return commands.get(next(iter(keys))) if len(keys) == 1 else None


def _guess(process: Process, commands: Mapping[int, Command]) -> Keys:
    by_session = _by_session(process.session, commands)
    return by_session or _by_environment(process.pid, commands) or frozenset(commands)


def _by_session(session: int, commands: Mapping[int, Command]) -> Keys:
    """The number of a session stays taken as long as a process is in it, so it cannot mean another one."""
    return frozenset(command.key for command in commands.values() if command.pid == session)


def _by_environment(pid: int, commands: Mapping[int, Command]) -> Keys:
    entries = environment(pid)
    return frozenset(
        key
        for key, command in commands.items()
        if command.env and {f"{name}={value}" for name, value in command.env.items()} <= entries
    )
