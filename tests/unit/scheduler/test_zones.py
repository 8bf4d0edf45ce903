"""Zones: which names there are, which release of the database, and when clocks are moved."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler_service.domain import zones
from scheduler_service.domain.zones import zone
from tests.support.walker import utc


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    zones.version.cache_clear()
    yield
    zones.version.cache_clear()


def test_version_is_a_release_of_the_iana_database() -> None:
    assert re.fullmatch(r"20\d\d[a-z]", zones.version())


def test_version_is_that_of_the_package_where_the_system_has_no_zones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("zoneinfo.TZPATH", ("/nowhere",))
    assert re.fullmatch(r"20\d\d[a-z]", zones.version())


@pytest.mark.parametrize(
    ("name", "text", "version"),
    [
        ("tzdata.zi", "# version 2031c\n# redo posix_only\n", "2031c"),
        ("+VERSION", "2031d\n", "2031d"),
        ("other", "", "unknown"),
    ],
)
def test_version_is_that_of_the_system_where_it_has_zones(
    name: str, text: str, version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "UTC").touch()
    (tmp_path / name).write_text(text)
    monkeypatch.setattr("zoneinfo.TZPATH", ("/nowhere", str(tmp_path), "/usr/share/zoneinfo"))
    assert zones.version() == version


def test_changes_are_found_to_the_second_and_in_order() -> None:
    found = zone("Europe/Berlin").changes(utc("2026-01-01T00:00"), utc("2028-01-01T00:00"))
    days = ["2026-03-29", "2026-10-25", "2027-03-28", "2027-10-31"]
    assert [change.at for change in found] == [utc(f"{day}T01:00") for day in days]
    assert zone("UTC").changes(utc("1970-01-01T00:00"), utc("2030-01-01T00:00")) == []
