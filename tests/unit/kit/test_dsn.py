"""Database URLs."""

import pytest

from service_kit.dsn import database_url, without_password


def test_libpq_options_are_understood_or_dropped() -> None:
    dsn = database_url(
        "postgres://me:s3@db:5433/app?sslmode=require&connect_timeout=3&keepalives=1&options=-c%20geqo%3Doff"
    )
    assert dsn.url == "postgresql://me:s3@db:5433/app?sslmode=require&options=-c+geqo%3Doff"
    assert dsn.connect_timeout == 3


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg", "postgresql+psycopg"])
def test_any_postgresql_scheme_is_taken(scheme: str) -> None:
    assert database_url(f"{scheme}://h/d").url == "postgresql://h/d"


@pytest.mark.parametrize("url", ["mysql://h/d", "h/d", "", "sqlite:///x"])
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="postgresql://"):
        database_url(url)


def test_connect_timeout_must_be_a_number() -> None:
    with pytest.raises(ValueError, match="connect_timeout"):
        database_url("postgresql://h/d?connect_timeout=soon")


@pytest.mark.parametrize("timeout", ["0", "-1", ""])
def test_no_timeout_becomes_ours(timeout: str) -> None:
    assert database_url(f"postgresql://h/d?connect_timeout={timeout}").connect_timeout == 5.0


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:s3cret@h/d",
        "postgresql://me:a:s3cret@h/d",
        "postgresql://h/d?user=me&password=s3cret&x=1",
    ],
)
def test_text_shows_no_password(url: str) -> None:
    for text in (str(database_url(url)), repr(database_url(url)), without_password(url)):
        assert "s3cret" not in text
        assert "***" in text


def test_dsn_passes_through() -> None:
    dsn = database_url("postgresql://h/d")
    assert database_url(dsn) is dsn
