"""What a replica knows of the holds, and when it tells others."""

from datetime import UTC, datetime, timedelta

from queue_service.app.hold_book import HoldBook
from queue_service.domain.holds import Hold
from service_kit.clock import ManualClock

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class FakeStore:
    """Holds of one source, and how often they were read."""

    def __init__(self) -> None:
        self.version = 1
        self.holds = [Hold("default", "c", NOW + MINUTE, NOW + 2 * MINUTE)]
        self.reads = 0

    async def versions(self) -> dict[tuple[str, str], int]:
        return {("default", "c"): self.version}

    async def ahead(self, now: datetime) -> list[Hold]:
        self.reads += 1
        return self.holds


def book() -> tuple[HoldBook, FakeStore, ManualClock, list[None]]:
    store, clock, told = FakeStore(), ManualClock(NOW), list[None]()
    return HoldBook(store, clock, lambda: told.append(None)), store, clock, told  # type: ignore[arg-type]


async def test_it_looks_again_just_when_a_hold_begins_and_ends() -> None:
    """And tells that something has changed, since nothing else will."""
    made, _, clock, told = book()
    assert await made.step() == 1
    clock.set(NOW + MINUTE - timedelta(milliseconds=200))
    assert await made.step() == 0.2
    assert (made.now().count, len(told)) == (0, 1)
    clock.set(NOW + MINUTE)
    await made.step()
    assert (made.now().count, len(told)) == (1, 2)
    clock.set(NOW + 2 * MINUTE)
    await made.step()
    assert (made.now().count, len(told)) == (0, 3)


async def test_holds_are_read_again_only_when_a_source_has_another_version() -> None:
    made, store, _, told = book()
    for _ in range(3):
        await made.step()
    assert (store.reads, len(told)) == (1, 1)
    store.version, store.holds = 2, [Hold("default", "c", NOW, NOW + MINUTE)]
    await made.step()
    assert (store.reads, len(told), made.now().count) == (2, 2, 1)


async def test_who_asks_first_waits_until_they_are_read() -> None:
    made, store, clock, _ = book()
    clock.set(NOW + MINUTE)
    assert (await made.loaded()).count == 1
    await made.loaded()
    assert store.reads == 1
