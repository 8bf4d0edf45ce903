"""Page tokens: opaque to callers, and good only for the list that made them."""

import base64
import binascii
import hashlib
import json
from typing import Any, Final

from service_kit.errors import InvalidArgument

DEFAULT_SIZE: Final = 100
_CHECK: Final = 8
_RULE: Final = "must be a `next_page_token` of the same call with the same filters; leave it empty to start"


def page_token(filters: object, position: object) -> str:
    """A token for what follows `position` (JSON) in a list; `filters` names it and has a faithful `repr`."""
    body = json.dumps(position, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_check(filters, body) + body).decode().rstrip("=")


def page_position(filters: object, token: str) -> Any:
    """What `page_token` was given; None for an empty token. Raises InvalidArgument for any other token."""
    if not token:
        return None
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    check, body = raw[:_CHECK], raw[_CHECK:]
    if not body or check != _check(filters, body):
        raise InvalidArgument(f"page_token: {_RULE}", violations=[("page_token", _RULE)])
    return json.loads(body)


def _check(filters: object, body: bytes) -> bytes:
    """Tells accidents apart, not attacks: a position reveals and allows nothing that the list does not."""
    return hashlib.sha256(repr(filters).encode() + b"\n" + body).digest()[:_CHECK]
