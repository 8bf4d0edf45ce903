"""Durations in words."""

from datetime import timedelta

import pytest

from service_kit.durations import spelled
from service_kit.settings import parse_duration


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(hours=1), "1h"),
        (timedelta(seconds=90), "1m30s"),
        (timedelta(days=2, hours=1, seconds=1, milliseconds=5), "2d1h1s5ms"),
        (timedelta(days=365), "365d"),
        (timedelta(0), "0s"),
    ],
)
def test_durations_are_spelled_as_settings_take_them(length: timedelta, words: str) -> None:
    assert spelled(length) == words
    assert parse_duration(words) == length


@pytest.mark.parametrize("length", [timedelta(microseconds=999), timedelta(seconds=-5)])
def test_what_is_too_short_to_tell_is_nothing(length: timedelta) -> None:
    assert spelled(length) == "0s"
