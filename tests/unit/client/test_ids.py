"""UUIDv7."""

import uuid

import time_machine
from batonpass import uuid7


def test_version_and_variant_are_those_of_rfc_9562():
    made = uuid.UUID(uuid7())
    assert (made.version, made.variant) == (7, uuid.RFC_4122)


def test_the_first_48_bits_are_unix_milliseconds():
    with time_machine.travel(1_772_330_400.5, tick=False):
        assert uuid.UUID(uuid7()).int >> 80 == 1_772_330_400_500


def test_ids_differ():
    assert len({uuid7() for _ in range(1_000)}) == 1_000
