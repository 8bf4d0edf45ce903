"""When plaintext is allowed."""

from pathlib import Path

import pytest

from service_kit.settings import SettingsError
from service_kit.tls import is_loopback, require_plaintext_allowed, tls_files


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("127.0.0.1:1", True),
        ("127.9.9.9:1", True),
        ("localhost:1", True),
        ("[::1]:1", True),
        ("unix:/run/x", True),
        ("0.0.0.0:1", False),
        ("[::]:1", False),
        ("10.0.0.1:1", False),
        ("queue:7070", False),
        ("localhost.example.org:1", False),
    ],
)
def test_loopback(address: str, loopback: bool) -> None:
    assert is_loopback(address) is loopback


def test_plaintext_needs_loopback_and_consent() -> None:
    require_plaintext_allowed("127.0.0.1:0", insecure_dev=True)
    with pytest.raises(SettingsError, match="--insecure-dev"):
        require_plaintext_allowed("127.0.0.1:0", insecure_dev=False)
    with pytest.raises(SettingsError, match="batonpass certs init"):
        require_plaintext_allowed("0.0.0.0:0", insecure_dev=True)


def test_tls_files_come_together_or_not_at_all() -> None:
    assert tls_files(None, None, None) is None
    with pytest.raises(SettingsError, match="give all three"):
        tls_files(Path("c"), None, Path("a"))


def test_unreadable_file_is_named() -> None:
    files = tls_files(Path("/nowhere/c"), Path("/nowhere/k"), Path("/nowhere/a"))
    assert files is not None
    with pytest.raises(SettingsError, match="/nowhere/c"):
        files.read()
