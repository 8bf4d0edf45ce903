"""Calls as values: what to send, how to read the answer, whether it may be repeated.

The functions of `tasks`, `pull`, `schedules` ... build them; `blocking` and `asynchronous` carry them out.
So every operation is written once, and neither side of the library knows about the other.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message

from batonpass.client.endpoints import Side

T = TypeVar("T")
Response = TypeVar("Response", bound=Message)


@dataclass(frozen=True, slots=True)
class Rpc(Generic[Response]):
    """One method of a service."""

    side: Side
    path: str
    response: type[Response]


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One unary call. `pick` makes the result of the response; `repeatable` calls survive a lost answer."""

    rpc: Rpc[Any]
    request: Message
    pick: Callable[[Any], T]
    repeatable: bool = True


@dataclass(frozen=True, slots=True)
class Stream(Generic[T]):
    """One call with a stream of answers. `timeout` None: it goes on until one of the two ends stops it."""

    rpc: Rpc[Any]
    request: Message
    pick: Callable[[Any], T]
    timeout: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Listed(Generic[T]):
    """The answer to one page."""

    items: Sequence[T]
    next_page_token: str


@dataclass(frozen=True, slots=True)
class Pages(Generic[T]):
    """A list that is fetched page by page: `call(token)` fetches one, the first token is empty."""

    call: Callable[[str], Call[Listed[T]]]


def same(response: T) -> T:
    """The response itself is the result."""
    return response
