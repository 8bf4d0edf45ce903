"""What the loops of this replica wait for, and hints to other replicas. Polling stays the truth."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

OUTBOX: Final = "batonpass_scheduler_outbox"
"""NOTIFY channel: there is something to hand over."""

TRIGGERS: Final = "batonpass_scheduler_triggers"
"""NOTIFY channel: somebody listens to the system's own events."""

Notify = Callable[[str], None]


class Signals:
    """Call after the transaction has committed. `notify` sends a hint to every replica, this one included."""

    def __init__(
        self,
        outbox: asyncio.Event | None = None,
        triggers: asyncio.Event | None = None,
        notify: Notify = lambda _: None,
    ) -> None:
        self.due = asyncio.Event()
        """A schedule may come due sooner than was known."""
        self.backfills = asyncio.Event()
        """A backfill was made."""
        self.blackouts = asyncio.Event()
        """A calendar was changed: the queue may have to know."""
        self.outbox = outbox or asyncio.Event()
        """There is something to hand over, or room for more of it."""
        self.triggers = triggers or asyncio.Event()
        """Which outcomes are wanted may have changed."""
        self.gatherings = asyncio.Event()
        """Events that were gathered may come due sooner than was known."""
        self.verdicts = asyncio.Event()
        """The queue has answered."""
        self.sends_all = False
        """Whether this replica sends the whole outbox, so that nobody else needs to know."""
        self._notify = notify
        self._settled: set[asyncio.Event] = set()

    def schedule_changed(self, *, listens_to_system: bool) -> None:
        """A schedule was created or changed."""
        self.due.set()
        if listens_to_system:
            self.triggers.set()
            self._notify(TRIGGERS)

    def fires_made(self) -> None:
        """Fires are in the outbox: the sender is woken at once."""
        self.outbox.set()
        if not self.sends_all:
            self._notify(OUTBOX)

    def fires_settled(self) -> None:
        """Verdicts have been written down."""
        self.outbox.set()
        for event in self._settled:
            event.set()

    @contextmanager
    def settled(self) -> Iterator[asyncio.Event]:
        """An event that is set whenever fires are settled; whoever waits for it clears it before looking."""
        event = asyncio.Event()
        self._settled.add(event)
        try:
            yield event
        finally:
            self._settled.discard(event)
