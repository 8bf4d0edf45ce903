"""What ends a command without success, as facts for programs and sentences for people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import click

from batonpass.cli.wording import told


@dataclass(frozen=True)
class Fault:
    """The facts of one failure.

    `code` is the gRPC status code's name, or a word of the command line's own; `violations` are pairs of a
    field's path and the rule that it breaks; `hint` says what to do next; `retry_after` is in seconds; `call`
    is the name of the call that failed, such as `RunSchedule`.
    """

    code: str
    message: str
    reason: str | None = None
    violations: Sequence[tuple[str, str]] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    service: str | None = None
    address: str | None = None
    retry_after: float | None = None
    hint: str | None = None
    call: str = ""

    def record(self) -> dict[str, Any]:
        """As `-o json` prints it."""
        return {
            "code": self.code,
            "reason": self.reason,
            "message": self.message,
            "violations": [{"field": field, "description": rule} for field, rule in self.violations],
            "metadata": dict(self.metadata),
            "service": self.service,
            "address": self.address,
            "retry_after_seconds": self.retry_after,
            "hint": self.hint,
        }

    def text(self) -> str:
        """As people read it: what is wrong, option by option, and what to do next."""
        first, *more = told(self.message, self.violations, self.call)
        lines = [f"Error: {first}", *(f"  {line}" for line in more)]
        if self.retry_after:
            lines.append(f"  It may be repeated after {self.retry_after:g} s.")
        if self.hint:
            lines.append(f"Next: {self.hint}")
        return "\n".join(lines)


class Failure(click.ClickException):
    """A failure reported by a service, or by the work itself: exit code 1."""

    exit_code = 1

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


class Misuse(Failure):
    """A mistake that was found on this machine, before any service was asked: exit code 2."""

    exit_code = 2


class Unfinished(click.exceptions.Exit):
    """Everything has been said already; only the exit code 1 is left."""

    def __init__(self) -> None:
        super().__init__(1)


def fault_of(error: click.ClickException) -> Fault:
    """The facts of whatever click raised; a wrong command line has the code `USAGE`."""
    if isinstance(error, Failure):
        return error.fault
    code = "USAGE" if isinstance(error, click.UsageError) else "FAILED"
    return Fault(code, error.format_message(), hint=_where_help_is(error))


def _where_help_is(error: click.ClickException) -> str | None:
    context = getattr(error, "ctx", None)
    return f"{context.command_path} --help shows the options, with examples." if context else None
