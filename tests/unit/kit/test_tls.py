"""When plaintext is allowed."""

from pathlib import Path

import pytest

from service_kit.settings import SettingsError
from service_kit.tls import require_plaintext_allowed, tls_files


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
