"""Reads the process table from /proc: everything about a process in one read, so that it belongs together.

psutil reads parent, start and memory one after another, at three moments, and does not tell the session.
"""

import os
from collections.abc import Iterator
from typing import Final, NamedTuple

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class Process(NamedTuple):
    """One line of the table. `started` (ticks since boot) tells processes with the same number apart."""

    pid: int
    parent: int
    session: int
    started: int
    resident: int
    is_zombie: bool

    @property
    def ident(self) -> tuple[int, int]:
        """Differs from that of any other process since boot."""
        return self.pid, self.started


def process_table() -> Iterator[Process]:
    """Every process that could be read; those that end meanwhile may be missing. Takes about 10 us each."""
    for name in os.listdir("/proc"):
        if name.isdecimal():
            stat = _read(f"/proc/{name}/stat")
            if stat:
                yield _parse(int(name), stat)


def descendants(ancestor: int) -> Iterator[Process]:
    """The processes below `ancestor`, each after its parent."""
    children: dict[int, list[Process]] = {}
    for process in process_table():
        children.setdefault(process.parent, []).append(process)
    generation = children.get(ancestor, [])
    while generation:
        yield from generation
        generation = [child for process in generation for child in children.pop(process.pid, ())]


def resident(pid: int) -> int:
    """Resident memory of one process in bytes; 0 when it is gone."""
    stat = _read(f"/proc/{pid}/stat")
    return _parse(pid, stat).resident if stat else 0


def environment(pid: int) -> set[str]:
    """The `NAME=VALUE` entries with which a process was started; empty when they cannot be read."""
    return set(_read(f"/proc/{pid}/environ").decode(errors="surrogateescape").split("\0"))


def _parse(pid: int, stat: bytes) -> Process:
    # The name in parentheses may hold anything, parentheses and spaces too.
    fields = stat[stat.rindex(b")") + 2 :].split()
    return Process(
        pid,
        parent=int(fields[1]),
        session=int(fields[3]),
        started=int(fields[19]),
        resident=int(fields[21]) * _PAGE,
        is_zombie=fields[0] in (b"Z", b"X"),
    )


def _read(path: str) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return b""
    try:
        return os.read(descriptor, 256 * 1024)
    except OSError:
        return b""
    finally:
        os.close(descriptor)
