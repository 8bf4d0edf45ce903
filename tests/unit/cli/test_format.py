"""Values as people and programs read them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from batonpass.cli import format, tables


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (timedelta(0), "0s"),
        (timedelta(milliseconds=500), "500ms"),
        (timedelta(seconds=90), "1m30s"),
        (timedelta(hours=24), "1d"),
        (timedelta(seconds=1, milliseconds=5), "1s5ms"),
        (timedelta(seconds=-5), "-5s"),
    ],
)
def test_durations_are_spelled_in_the_largest_units(length: timedelta, expected: str) -> None:
    assert format.duration(length) == expected


def test_times_are_utc_with_z_and_a_fraction_only_when_there_is_one() -> None:
    assert format.time(datetime(2026, 3, 1, 2, tzinfo=UTC)) == "2026-03-01T02:00:00Z"
    assert format.time(datetime(2026, 3, 1, 2, 0, 0, 1000, tzinfo=UTC)) == "2026-03-01T02:00:00.001000Z"
    berlin = timezone(timedelta(hours=1))
    assert format.time(datetime(2026, 3, 1, 2, tzinfo=berlin)) == "2026-03-01T01:00:00Z"


def test_numbers_have_no_needless_zeros() -> None:
    assert [format.number(value) for value in (80.0, 12.5, 0.126, 0.0)] == ["80", "12.5", "0.13", "0"]


def test_sizes_are_in_binary_units() -> None:
    assert format.size(512) == "512 B"
    assert format.size(8 * 1024**3) == "8.0 GiB"
    assert format.size(3 * 1024**4) == "3.0 TiB"


def test_control_characters_cannot_drive_the_terminal() -> None:
    assert format.printable("a\x1b[2Jb\x07\x9bc\td\n") == "a\\x1b[2Jb\\x07\\x9bc\td\n"
    assert tables.cell("\x1b]0;title").plain == "\\x1b]0;title"


def test_cells_are_words() -> None:
    values: tuple[object, ...] = (None, "", True, False, 12.0, ["a", "b"], {"zone": "eu"}, [], 7)
    assert [tables.words(value) for value in values] == [
        "-",
        "-",
        "yes",
        "no",
        "12",
        "a, b",
        "zone=eu",
        "-",
        "7",
    ]


def test_lengths_are_rounded_to_what_matters() -> None:
    lengths = (None, 0, 340, 1250, 9999, 12_345, 125_400)
    words = [None, "<1ms", "340ms", "1.25s", "10s", "12s", "2m5s"]
    assert [tables.milliseconds(length) for length in lengths] == words
