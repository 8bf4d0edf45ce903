"""UUIDs of version 7."""

import uuid
from datetime import UTC, datetime, timedelta

from service_kit.uuids import uuid7

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_ids_are_version_seven_and_sort_by_time() -> None:
    first, second = uuid7(NOW), uuid7(NOW + timedelta(milliseconds=1))
    assert first < second
    made = uuid.UUID(first)
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == int(NOW.timestamp() * 1000)


def test_ids_of_one_millisecond_differ() -> None:
    assert len({uuid7(NOW) for _ in range(1_000)}) == 1_000
