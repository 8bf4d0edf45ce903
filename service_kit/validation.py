"""The rules written in the protos, applied to messages."""

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import protovalidate
from google.protobuf.message import Message

from service_kit.errors import InvalidArgument, Violation

Handler = TypeVar("Handler", bound=Callable[..., Any])


def validates_itself(handler: Handler) -> Handler:
    """Marks a handler that calls `validate` itself, because one bad item must not spoil the others."""
    handler.validates_itself = True  # type: ignore[attr-defined]
    return handler


def validate(message: Message) -> None:
    """Raises InvalidArgument with one violation per broken rule: field path and rule in words."""
    broken = _validator().collect_violations(message)
    if not broken:
        return
    violations = [Violation(_path(item.proto), item.proto.message) for item in broken]
    first = violations[0]
    more = f" (and {len(violations) - 1} more)" if len(violations) > 1 else ""
    raise InvalidArgument(
        f"{first.field}: {first.description}{more}" if first.field else f"{first.description}{more}",
        violations=violations,
    )


@cache
def _validator() -> protovalidate.Validator:
    return protovalidate.Validator()


def _path(violation: Any) -> str:
    """`template.labels["a b"]`, `tasks[3].priority`; empty for a rule of the whole message."""
    elements = violation.field.elements if violation.field else ()
    return ".".join(f"{element.field_name}{_subscript(element.subscript)}" for element in elements)


def _subscript(subscript: Any) -> str:
    if subscript is None:
        return ""
    value = getattr(subscript, "value", subscript)
    return f'["{value}"]' if isinstance(value, str) else f"[{value}]"
