"""Handlers: the grammar of their text, and the lane that tasks of equal demands wait in."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

PREFIX: Final = "name:"
LONGEST_NAME: Final = 128


class HandlerKind(Enum):
    """What it takes to run a handler."""

    PULL = ""
    """No handler: only pull clients lease the task."""
    NAMED = "name"
    HTTP = "http"
    SHELL = "shell"


@dataclass(frozen=True, slots=True)
class Handler:
    """A parsed handler; `name` is set for NAMED only."""

    kind: HandlerKind
    name: str = ""

    @property
    def key(self) -> str:
        """What executors are matched by: `name:NAME`, `http`, `shell`, or empty for pull tasks."""
        return PREFIX + self.name if self.kind is HandlerKind.NAMED else self.kind.value


def parse_handler(text: str) -> Handler:
    """Reads a handler as `TaskTemplate.handler` defines it.

    Raises ValueError for `name:` with a name that is empty or over 128 characters, for text of nothing but
    white space, and for a NUL character, which no command or URL can hold.
    """
    if "\0" in text:
        raise ValueError("must not contain a NUL character")
    if not text:
        return Handler(HandlerKind.PULL)
    if not text.strip():
        raise ValueError("must be empty or more than white space")
    if text.startswith(PREFIX):
        return Handler(HandlerKind.NAMED, _registered_name(text.removeprefix(PREFIX)))
    if text.startswith(("http://", "https://")):
        return Handler(HandlerKind.HTTP)
    return Handler(HandlerKind.SHELL)


def check_selector(text: str) -> None:
    """Raises ValueError unless it is empty or a key that tasks can be selected by."""
    if text not in ("", HandlerKind.SHELL.value, HandlerKind.HTTP.value) and not text.startswith(PREFIX):
        raise ValueError(f"must be `{PREFIX}NAME`, `shell`, `http` or empty")
    parse_handler(text)


def _registered_name(name: str) -> str:
    if not 1 <= len(name) <= LONGEST_NAME:
        raise ValueError(f"after `{PREFIX}` must come a name of 1 to {LONGEST_NAME} characters")
    return name


@dataclass(frozen=True, slots=True)
class Lane:
    """Tasks of one queue that the same executors can run and that are of about the same size.

    `bucket` is the power-of-two class of the dominant resource: 0 for nothing declared, else n for
    2**(n-1) to 2**n - 1 hundredths of a percent.
    """

    namespace: str
    handler_key: str
    bucket: int
    queue: str

    def __str__(self) -> str:
        """As stored: `namespace/handler_key/bucket/queue`, so that those of a handler are neighbours."""
        return f"{self.namespace}/{self.handler_key}/{self.bucket}/{self.queue}"

    @classmethod
    def parse(cls, text: str) -> "Lane":
        """The inverse of `str`. A handler key may hold slashes, the other parts never do."""
        namespace, rest = text.split("/", 1)
        handler_key, bucket, queue = rest.rsplit("/", 2)
        return cls(namespace, handler_key, int(bucket), queue)


def lanes_of(namespace: str, handler_key: str) -> tuple[str, str]:
    """Texts before and after every lane of a handler, in the order of bytes.

    Lanes of a handler whose name goes on with a slash may lie between them too.
    """
    return f"{namespace}/{handler_key}/", f"{namespace}/{handler_key}0"


def lane_of(namespace: str, queue: str, handler_key: str, cpu: int, memory: int) -> Lane:
    """The lane of a task that declares `cpu` and `memory`, both in hundredths of a percent."""
    return Lane(namespace, handler_key, max(cpu, memory).bit_length(), queue)
