"""The feed of outcomes as streams."""

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import timedelta
from typing import Final

from queue_service.app.bell import Bell, heard
from queue_service.domain.cursor import START, Cursor
from queue_service.domain.errors import BadField
from queue_service.domain.outcome import Outcome
from queue_service.store.outcomes import OutcomeStore, Wanted

__all__ = ["OutcomeFeed", "Wanted"]

PAGE: Final = 500
POLL: Final = timedelta(seconds=1)
HEARTBEAT: Final = timedelta(seconds=5)


class OutcomeFeed:
    """Follows the feed; `ended` rings when tasks have ended, here or (as a hint) on another replica."""

    def __init__(
        self,
        store: OutcomeStore,
        ended: Bell,
        poll: timedelta = POLL,
        heartbeat: timedelta = HEARTBEAT,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._ended = ended
        self._poll = poll.total_seconds()
        self._heartbeat = heartbeat.total_seconds()
        self._monotonic = monotonic

    async def follow(
        self, cursor: str, wanted: Wanted, *, from_now: bool
    ) -> AsyncGenerator[tuple[list[Outcome], Cursor], None]:
        """Outcomes in commit order, each batch with the position behind it; ends when the service stops.

        The first batch comes at once, later empty ones as a sign of life. Raises BadField for a cursor that
        is none, CursorGone.
        """
        position = await self._begin(cursor, from_now)
        async with aclosing(self.after(position, wanted)) as batches:
            async for batch in batches:
                yield batch

    async def after(
        self, position: Cursor, wanted: Wanted
    ) -> AsyncGenerator[tuple[list[Outcome], Cursor], None]:
        """As `follow`, from a position."""
        spoke_at = float("-inf")
        with self._ended.listening() as rung:
            while not self._ended.closed:
                rung.clear()
                outcomes, position = await self._store.after(position, wanted, PAGE)
                if outcomes or self._monotonic() - spoke_at >= self._heartbeat:
                    spoke_at = self._monotonic()
                    yield outcomes, position
                if len(outcomes) < PAGE and not self._ended.closed:
                    await heard(rung, self._poll)

    async def _begin(self, cursor: str, from_now: bool) -> Cursor:
        if cursor:
            try:
                return Cursor.parse(cursor)
            except ValueError as error:
                raise BadField("cursor", str(error)) from None
        return await self._store.end() if from_now else START
