"""Page tokens: where a listing goes on, valid with the same filters only."""

import base64
import binascii
import hashlib
import json


def page_token(filters: object, position: str) -> str:
    """An opaque token; `filters` is anything with a faithful `repr`."""
    return base64.urlsafe_b64encode(json.dumps([_digest(filters), position]).encode()).decode()


def page_position(filters: object, token: str) -> str:
    """The position in a token. Raises ValueError when it was not made by `page_token` with equal filters."""
    try:
        digest, position = json.loads(base64.b64decode(token.encode("ascii"), b"-_", validate=True))
    except (ValueError, TypeError, binascii.Error) as error:
        raise ValueError("not a page token") from error
    if digest != _digest(filters) or not isinstance(position, str):
        raise ValueError("a page token of another listing")
    return position


def _digest(filters: object) -> str:
    return hashlib.sha256(repr(filters).encode()).hexdigest()[:16]
