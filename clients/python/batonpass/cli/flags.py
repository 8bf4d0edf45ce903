"""Option types and the options that several verbs share."""

import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import click

from batonpass.cli import parse

if TYPE_CHECKING:
    from google.protobuf.message import Message

T = TypeVar("T")
Decorated = TypeVar("Decorated", bound=Callable[..., Any])


class Parsed(click.ParamType[T]):
    """An option's text through a function of `parse`; its ValueError is a usage error."""

    def __init__(self, name: str, read: Callable[[str], T]) -> None:
        self.name = name
        self._read = read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> T:
        if not isinstance(value, str):
            return value  # type: ignore[no-any-return]
        try:
            return self._read(value)
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


class EnumType(Protocol):
    """A generated enum."""

    def items(self) -> Sequence[tuple[str, Any]]: ...


class Word(click.ParamType[int]):
    """The number of a generated enum's value by its name without prefix: `buffer-all` or `BUFFER_ALL`."""

    def __init__(self, kind: EnumType, prefix: str) -> None:
        names = {name.removeprefix(prefix): number for name, number in kind.items() if number != 0}
        self.numbers: Final = {name.lower().replace("_", "-"): number for name, number in names.items()}
        self.name = "|".join(self.numbers)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        number = self.numbers.get(value.lower().replace("_", "-"))
        if number is None:
            self.fail(f"{value!r} is not one of {', '.join(self.numbers)}.", param, ctx)
        return number

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return f"[{self.name}]"


def _read_file(name: str) -> bytes:
    """The bytes of a file, `-` for stdin; raises ValueError when it cannot be read."""
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise ValueError(f"cannot read {name}: {error.strerror}") from None


DURATION: Final = Parsed("duration", parse.duration)
TIME: Final = Parsed("time", lambda text: parse.time(text, datetime.now(UTC)))
PERCENT: Final = Parsed("pct", parse.percent)
DOCUMENT: Final = Parsed("json|@file", lambda text: parse.document(text, _read_file))
LABEL: Final = Parsed("key=value", parse.label)
ADDRESS: Final = Parsed("host:port", parse.address)
CALENDAR_STEP: Final = Parsed("n unit", parse.calendar_step)
READING: Final = Parsed("date and time", parse.reading)
TEMPLATE: Final = Parsed("id[@version]", parse.template)
INT32: Final = Parsed("n", lambda text: parse.whole(text, bits=32))
INT64: Final = Parsed("n", lambda text: parse.whole(text, bits=64))

EVERYTHING: Final = 0
"""The value of `--limit` that means all."""

PAGE: Final = 1000
"""Most items that a service puts on one page."""


def limit(noun: str) -> Callable[[Decorated], Decorated]:
    """`--limit`: how many items a list shows at most."""
    return click.option(
        "--limit",
        type=click.IntRange(0),
        default=PAGE,
        show_default=True,
        metavar="N",
        help=f"Most {noun} to show; 0 for all.",
    )


def queue(help: str = "Its named queue.") -> Callable[[Decorated], Decorated]:
    """`--queue`: a named queue, not an address."""
    return click.option("--queue", default="", metavar="NAME", help=f"{help}  [default: default]")


def any_queue() -> Callable[[Decorated], Decorated]:
    """`--queue` as a filter."""
    text = "Only this named queue.  [default: every queue]"
    return click.option("--queue", default="", metavar="NAME", help=text)


def group(title: str, decorate: Callable[[Decorated], Decorated]) -> Callable[[Decorated], Decorated]:
    """`decorate`, whose options the help shows below `title`."""

    def decorated(command: Decorated) -> Decorated:
        before = len(getattr(command, "__click_params__", ()))
        made = decorate(command)
        for option in made.__click_params__[before:]:  # type: ignore[attr-defined]
            option.group = title
        return made

    return decorated


def put(message: "Message", path: str, value: Any) -> None:
    """Sets the field of `message` at a dotted path: durations, instants, lists and plain values."""
    *parents, name = path.split(".")
    for parent in parents:
        message = getattr(message, parent)
    match value:
        case timedelta():
            getattr(message, name).FromTimedelta(value)
        case datetime():
            getattr(message, name).FromDatetime(value)
        case tuple():
            getattr(message, name).extend(value)
        case _:
            setattr(message, name, value)


def apply(options: tuple[Callable[[Any], Any], ...], command: Decorated) -> Decorated:
    """`command` with several options, which appear in this order."""
    for option in reversed(options):
        command = option(command)
    return command


_TASK: Final = (
    click.option("--priority", type=INT32, metavar="N", help="1 to 10, 10 = most urgent.  [default: 5]"),
    click.option("--cpu", type=PERCENT, help="Most CPU it uses, in percent of the host.  [default: 0]"),
    click.option("--memory", type=PERCENT, help="Most memory it uses, in percent of the host.  [default: 0]"),
    click.option(
        "--retry-policy",
        metavar="NAME",
        help="standard (5 attempts), none (1) or aggressive (3 within 30s).  [default: standard]",
    ),
    click.option(
        "--circuit-breaker",
        metavar="NAME",
        help="Circuit breaker; only `default` exists.  [default: default]",
    ),
    click.option("--timeout", type=DURATION, help="Longest an attempt may run.  [default: 1h]"),
    click.option("--payload", type=DOCUMENT, help="Input of the handler: JSON, or @FILE with it."),
    click.option("--queue", metavar="NAME", help="Named queue of its tasks.  [default: default]"),
)


def task_options(command: Decorated) -> Decorated:
    """The options that say how a task runs, of schedules and of single tasks."""
    return apply(_TASK, command)
