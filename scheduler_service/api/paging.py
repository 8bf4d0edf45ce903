"""Page tokens: opaque to callers, and good only for the list that made them."""

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from typing import Any, Final

from service_kit.errors import InvalidArgument

DEFAULT_SIZE: Final = 100
_CHECK: Final = 8


def page_token(list_name: str, filters: Sequence[object], position: object) -> str:
    """A token for what follows `position` (JSON) in the list of those filters."""
    body = json.dumps(position, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_check(list_name, filters, body) + body).decode().rstrip("=")


def position(token: str, list_name: str, filters: Sequence[object]) -> Any:
    """What `page_token` was given; None for an empty token. Raises InvalidArgument for any other token."""
    if not token:
        return None
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    check, body = raw[:_CHECK], raw[_CHECK:]
    if not body or check != _check(list_name, filters, body):
        rule = "must be the next_page_token of a page of the same list, with the same filters"
        raise InvalidArgument(f"page_token: {rule}", violations=[("page_token", rule)])
    return json.loads(body)


def _check(list_name: str, filters: Sequence[object], body: bytes) -> bytes:
    """Tells accidents apart, not attacks: a position reveals and allows nothing that the list does not."""
    head = json.dumps([list_name, *(str(each) for each in filters)]).encode()
    return hashlib.sha256(head + b"\n" + body).digest()[:_CHECK]
