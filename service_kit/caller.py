"""Who calls: the namespace to work in and the actor to write down."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from batonpass.options import ACTOR_KEY, DEFAULT_ACTOR, DEFAULT_NAMESPACE, NAMESPACE_KEY, actor_from_metadata

from service_kit.errors import InvalidArgument

NAMESPACE: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
LONGEST_ACTOR: Final = 128


@dataclass(frozen=True)
class Caller:
    """Taken from the call's metadata; self-declared until credentials exist."""

    namespace: str = DEFAULT_NAMESPACE
    actor: str = DEFAULT_ACTOR


_current: ContextVar[Caller] = ContextVar("batonpass_caller")


def current_caller() -> Caller:
    """The caller of the RPC that runs in this task. Raises LookupError outside of one."""
    return _current.get()


@contextmanager
def acting_as(caller: Caller) -> Iterator[None]:
    """Makes `caller` the current one for a block: for tests and for work that a service does by itself."""
    token = _current.set(caller)
    try:
        yield
    finally:
        _current.reset(token)


def enter(caller: Caller) -> None:
    """Makes `caller` the current one for the rest of this task."""
    _current.set(caller)


def caller_from_metadata(metadata: Iterable[tuple[str, str | bytes]]) -> Caller:
    """Reads `batonpass-namespace` and `batonpass-actor`. Raises InvalidArgument naming entry and rule."""
    found = {key: value for key, value in metadata if key in (NAMESPACE_KEY, ACTOR_KEY)}
    namespace = str(found.get(NAMESPACE_KEY, DEFAULT_NAMESPACE))
    actor = actor_from_metadata(str(found.get(ACTOR_KEY, DEFAULT_ACTOR)))
    check_namespace(namespace, NAMESPACE_KEY)
    if not actor or len(actor) > LONGEST_ACTOR or not actor.isprintable():
        rule = f"1 to {LONGEST_ACTOR} printable characters"
        raise InvalidArgument(f"{ACTOR_KEY}: {rule}", violations=[(ACTOR_KEY, rule)])
    return Caller(namespace, actor)


def check_namespace(namespace: str, field: str) -> None:
    """Raises InvalidArgument for `field` unless `namespace` is a well-formed name."""
    if not NAMESPACE.fullmatch(namespace):
        rule = f"must match ^{NAMESPACE.pattern}$, not {namespace[:80]!r}"
        raise InvalidArgument(f"{field}: {rule}", violations=[(field, rule)])
