"""Lists, page by page."""

from collections.abc import Callable, Iterable
from typing import Generic, NamedTuple, Protocol, TypeVar

from batonpass.cli.failure import Failure
from batonpass.cli.session import Session

_LARGEST = 500


class Reply(Protocol):
    """One page of a list."""

    next_page_token: str


T = TypeVar("T")
R = TypeVar("R", bound=Reply)


class Listed(NamedTuple, Generic[T]):
    """The items of a list; `more` when the limit cut it short."""

    items: list[T]
    more: bool

    def tell(self, session: Session) -> list[T]:
        """The items, after a note on stderr when there are more."""
        if self.more:
            session.note(f"These are the first {len(self.items)}; --limit 0 shows all.")
        return self.items


def listed(fetch: Callable[[int, str], R], items: Callable[[R], Iterable[T]], limit: int) -> Listed[T]:
    """Calls `fetch(page size, page token)` until `limit` items are there; 0 = until the end."""
    found: list[T] = []
    token = ""
    while True:
        size = _LARGEST if limit == 0 else min(_LARGEST, limit - len(found))
        page = _fetch(fetch, size, token)
        found.extend(items(page))
        token = page.next_page_token
        if not token or 0 < limit <= len(found):
            return Listed(found, more=bool(token))


def _fetch(fetch: Callable[[int, str], R], size: int, token: str) -> R:
    """One page, smaller when it is larger than a message may be."""
    while True:
        try:
            return fetch(size, token)
        except Failure as failure:
            if size == 1 or failure.fault.code != "RESOURCE_EXHAUSTED" or failure.fault.reason:
                raise
            size //= 2
