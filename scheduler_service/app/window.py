"""What this replica has sent and not settled yet: bounded, so that a queue that stands still costs little."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from scheduler_service.domain.fire import Disposition
from scheduler_service.store.fires import shard
from scheduler_service.store.outbox import Parcel, Verdict

Key = tuple[str, str]


class Sent(NamedTuple):
    """A parcel under way since `at`."""

    parcel: Parcel
    at: datetime


class Window:
    """Parcels under way, and verdicts that wait to be written down. Memory only: the outbox has it all."""

    def __init__(self, limit: int = 2000) -> None:
        self.limit = limit
        self._under_way: dict[Key, Sent] = {}
        self._answered: dict[int, Verdict] = {}

    def __len__(self) -> int:
        return len(self._under_way) + len(self._answered)

    @property
    def room(self) -> int:
        """How many more may be sent."""
        return max(0, self.limit - len(self))

    @property
    def oldest(self) -> datetime | None:
        """When the parcel was sent that has waited longest for its verdict."""
        return next((sent.at for sent in self._under_way.values()), None)

    @property
    def fires(self) -> list[int]:
        """Numbers of all fires in it."""
        return [sent.parcel.fire for sent in self._under_way.values()] + list(self._answered)

    def shards(self) -> set[int]:
        """Parts of the outbox with a parcel that waits for its verdict."""
        return {shard(sent.parcel.namespace, sent.parcel.schedule_id) for sent in self._under_way.values()}

    def add(self, parcels: Iterable[Parcel], now: datetime) -> None:
        """Parcels are being sent at `now`."""
        for parcel in parcels:
            self._under_way[parcel.namespace, parcel.fire_id] = Sent(parcel, now)

    def answer(self, key: Key, disposition: Disposition, detail: str) -> Sent | None:
        """Takes a verdict; returns what it is on, None when nobody waits for it (any more)."""
        sent = self._under_way.pop(key, None)
        if sent is not None:
            self._answered[sent.parcel.fire] = Verdict(sent.parcel.fire, disposition, detail)
        return sent

    def forget(self) -> None:
        """The stream broke: what is unanswered will be sent again from the outbox."""
        self._under_way.clear()

    def answered(self, limit: int) -> list[Verdict]:
        """At most `limit` verdicts to write down, oldest first; they stay until `settled`."""
        return [verdict for verdict, _ in zip(self._answered.values(), range(limit), strict=False)]

    def settled(self, verdicts: Iterable[Verdict]) -> None:
        """Verdicts have been written down."""
        for verdict in verdicts:
            self._answered.pop(verdict.fire, None)
