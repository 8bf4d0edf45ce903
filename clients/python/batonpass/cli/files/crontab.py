"""A crontab as schedules: every job that can be taken over, and notes on what cannot. Pure.

As in crontab(5) of Vixie and cronie: lines of variables hold for the lines below them, CRON_TZ is the zone in
which the fields are read, the first `%` of a command that is not escaped begins its input, later ones are
newlines, and a system crontab names a user in the sixth field.
"""

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from batonpass.queue.v1.task_pb2 import OVERLAP_POLICY_ALLOW_ALL
from batonpass.scheduler.v1.schedule_pb2 import CATCH_UP_POLICY_NONE, Schedule

_VARIABLE: Final = re.compile(r"""^\s*(?:"([^"]+)"|'([^']+)'|([A-Za-z_][A-Za-z0-9_]*))\s*=\s*(.*?)\s*$""")
_JOB: Final = re.compile(r"^\s*-?(@\S+|\S+(?:\s+\S+){4})\s+(.*?)\s*$")
_USER: Final = re.compile(r"^(\S+)\s+(.*)$")
_WORD: Final = re.compile(r"[A-Za-z0-9]+")
_END: Final = re.compile(r"[%|;&<>#]|[0-9]+>")
_NOT_WORTH_A_NAME: Final = frozenset(
    {"bin", "sh", "bash", "env", "usr", "local", "opt", "sudo", "exec", "cd", "test"}
)

_IGNORED: Final = {
    "MAILTO": "nobody is mailed: the output of a task is kept with its attempt",
    "MAILFROM": "nobody is mailed",
    "CONTENT_TYPE": "nobody is mailed",
    "CONTENT_TRANSFER_ENCODING": "nobody is mailed",
    "LOGNAME": "tasks run as the user of the agent",
    "USER": "tasks run as the user of the agent",
    "HOME": "tasks run in the agent's directory",
    "RANDOM_DELAY": "--jitter of a schedule does that",
}
_REBOOT: Final = (
    "@reboot names no time: a schedule does not know when a host starts; let its init system run it"
)
_LONGEST: Final = 64


@dataclass(frozen=True)
class Remark:
    """What is said about a line, 1 = the first; a refusal means that its job is not taken over."""

    line: int
    text: str
    is_refusal: bool = False

    def __str__(self) -> str:
        return f"line {self.line}: {self.text}"


class Job(NamedTuple):
    """A schedule, and the line that it comes from."""

    line: int
    schedule: Schedule


@dataclass
class Crontab:
    """What was made of a crontab."""

    jobs: list[Job] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)


@dataclass
class _State:
    """The variables in force."""

    zone: str = ""
    shell: str = ""
    values: dict[str, str] = field(default_factory=dict)


def read(text: str, *, prefix: str = "", system: bool = False) -> Crontab:
    """The schedules of a crontab. `prefix` begins their ids; `system`: the sixth field is a user."""
    found, state = Crontab(), _State()
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        variable = _VARIABLE.match(line)
        if variable:
            _set(found, state, number, variable)
        else:
            _job(found, state, number, line, prefix, system)
    return found


def _set(found: Crontab, state: _State, number: int, variable: "re.Match[str]") -> None:
    name = variable[1] or variable[2] or variable[3]
    value = _unquoted(variable[4])
    match name:
        case "CRON_TZ":
            state.zone = value
        case "SHELL":
            state.shell = value
        case _ if name in _IGNORED:
            found.remarks.append(Remark(number, f"{name} is ignored: {_IGNORED[name]}"))
        case _:
            state.values[name] = value


def _unquoted(value: str) -> str:
    quote = value[:1]
    return value[1:-1] if quote in ("'", '"') and len(value) > 1 and value.endswith(quote) else value


def _job(found: Crontab, state: _State, number: int, line: str, prefix: str, system: bool) -> None:
    job = _JOB.match(line)
    if job is None:
        found.remarks.append(Remark(number, "is neither a variable nor five fields and a command", True))
        return
    expression, rest = " ".join(job[1].split()), job[2]
    if expression.lower() == "@reboot":
        found.remarks.append(Remark(number, _REBOOT, True))
        return
    if system:
        rest = _without_user(found, number, rest)
    if not rest:
        found.remarks.append(Remark(number, "has no command", True))
        return
    taken = {made.schedule.schedule_id for made in found.jobs}
    found.jobs.append(Job(number, _schedule(_id(prefix, rest, taken), expression, rest, state)))


def _without_user(found: Crontab, number: int, rest: str) -> str:
    named = _USER.match(rest)
    if named is None:
        return ""
    if named[1] != "root":
        found.remarks.append(
            Remark(number, f"the user {named[1]} is ignored: tasks run as the user of the agent")
        )
    return named[2]


def _schedule(schedule_id: str, expression: str, command: str, state: _State) -> Schedule:
    """Like cron, it may run beside itself and is not caught up."""
    made = Schedule(
        schedule_id=schedule_id,
        time_zone=state.zone,
        overlap_policy=OVERLAP_POLICY_ALLOW_ALL,
        catch_up_policy=CATCH_UP_POLICY_NONE,
    )
    made.specs.add().cron.expression = expression
    made.template.name = command[:200]
    made.template.handler = _line(command, state)
    return made


def _line(command: str, state: _State) -> str:
    """The command for a shell: with its input, its variables and in the shell that was asked for."""
    parts = _parts(command)
    line = parts[0]
    shell = state.shell if state.shell not in ("", "/bin/sh", "sh") else ""
    assigned = [f"{name}={value}" for name, value in state.values.items()]
    if assigned or shell:
        words = ("env", *assigned) if assigned else ()
        line = shlex.join([*words, shell or "/bin/sh", "-c", line])
    if len(parts) > 1:
        text = "\n".join(parts[1:])
        line = f"printf '%s\\n' {shlex.quote(text)} | {{ {line}\n}}"
    return f" {line}" if line.startswith(("name:", "http://", "https://")) else line


def _parts(command: str) -> Sequence[str]:
    r"""The command, then the lines of its input: split at `%`, where `\%` is a plain one."""
    return [part.replace("\\%", "%") for part in re.split(r"(?<!\\)%", command)]


def _id(prefix: str, command: str, taken: set[str]) -> str:
    """An id made of the command's words: the same for the same crontab, unique within it."""
    room = _LONGEST - len(prefix) - 4
    stem = "-".join(_words(command)).lower()[:room].rstrip("-") or "job"
    names = (f"{prefix}{stem}{'' if count == 1 else f'-{count}'}" for count in range(1, len(taken) + 2))
    return next(name for name in names if name not in taken)


def _words(command: str) -> Iterator[str]:
    """The words that tell commands apart: the program's name and its first arguments."""
    program = _END.split(command, maxsplit=1)[0]
    words = [word for word in _WORD.findall(program) if word.lower() not in _NOT_WORTH_A_NAME]
    yield from words[:5]
