"""Settings of a service."""

from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import Field, ValidationError
from pydantic_settings import SettingsConfigDict

from service_kit.settings import Duration, ServiceSettings, SettingsError, load, load_or_exit


class Example(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="BATONPASS_EXAMPLE_")
    table: ClassVar[str] = "example"

    patience: Duration = Field(default=timedelta(seconds=5), description="how long to wait")
    workers: int = Field(default=2, ge=1, le=8, description="how many")


URL = "postgresql://me:s3cret@h/d"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "BATONPASS_CONFIG", "BATONPASS_SECRETS_DIR"):
        monkeypatch.delenv(name, raising=False)


def test_flag_beats_variable_beats_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = tmp_path / "batonpass.toml"
    config.write_text(f'[example]\ndatabase_url = "{URL}"\nworkers = 3\npatience = "1m30s"\n')
    monkeypatch.setenv("BATONPASS_CONFIG", str(config))
    settings = load(Example)
    assert (settings.workers, settings.patience) == (3, timedelta(seconds=90))
    monkeypatch.setenv("BATONPASS_EXAMPLE_WORKERS", "4")
    assert load(Example).workers == 4
    assert load(Example, ["--workers", "5"]).workers == 5


def test_shared_variable_is_the_second_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://shared/d")
    assert load(Example).database_url == "postgresql://shared/d"
    monkeypatch.setenv("BATONPASS_EXAMPLE_DATABASE_URL", "postgresql://own/d")
    assert load(Example).database_url == "postgresql://own/d"


def test_secret_file_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "BATONPASS_EXAMPLE_DATABASE_URL").write_text(f"{URL}\n")
    monkeypatch.setenv("BATONPASS_SECRETS_DIR", str(tmp_path))
    assert load(Example).database_url == URL


def test_settings_are_frozen() -> None:
    settings = load(Example, ["--database-url", URL])
    with pytest.raises(ValidationError):
        settings.workers = 3


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ([], "BATONPASS_EXAMPLE_DATABASE_URL or DATABASE_URL is not set"),
        (["--workers", "9"], r"--workers=9: .*less than or equal to 8"),
        (["--patience", "30"], r"--patience=30: a duration is a number with a unit"),
        (["--listen", "7070"], r"--listen=7070: an address is host:port"),
        (
            ["--database-url", "mysql://me:s3cret@h/d"],
            r"--database-url=mysql://me:\*\*\*@h/d: a database URL",
        ),
        (["--log-level", "loud"], r"--log-level=loud: Input should be 'debug', 'info'"),
    ],
)
def test_wrong_value_is_named_with_its_rule(flags: list[str], sentence: str) -> None:
    if flags and flags[0] != "--database-url":
        flags = ["--database-url", URL, *flags]
    with pytest.raises(SettingsError, match=sentence) as refused:
        load(Example, flags)
    assert "s3cret" not in str(refused.value)


def test_wrong_variable_is_named_as_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "nonsense")
    monkeypatch.setenv("BATONPASS_EXAMPLE_WORKERS", "none")
    with pytest.raises(SettingsError) as refused:
        load(Example)
    assert "DATABASE_URL=nonsense: a database URL" in str(refused.value)
    assert "BATONPASS_EXAMPLE_WORKERS=none" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[example]\nworker = 3", "worker: no such setting"),
        ("[example", "BATONPASS_CONFIG="),
        ("example = 1", "table"),
    ],
)
def test_wrong_file_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, sentence: str
) -> None:
    config = tmp_path / "batonpass.toml"
    config.write_text(text)
    monkeypatch.setenv("BATONPASS_CONFIG", str(config))
    with pytest.raises(SettingsError, match=sentence):
        load(Example, ["--database-url", URL])


def test_absent_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATONPASS_CONFIG", "/nowhere/batonpass.toml")
    with pytest.raises(SettingsError, match=r"/nowhere/batonpass\.toml"):
        load(Example)


def test_wrong_value_ends_the_process_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        load_or_exit(Example, ["--database-url", URL, "--workers", "0"])
    assert ended.value.code == 2
    assert "--workers=0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "seconds"), [("250ms", 0.25), ("30s", 30), ("1h30m", 5400), ("2d", 172_800), (" 1.5S ", 1.5)]
)
def test_durations_have_units(text: str, seconds: float) -> None:
    settings = load(Example, ["--database-url", URL, "--patience", text])
    assert settings.patience == timedelta(seconds=seconds)


def test_boolean_flags_switch_on_and_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(Example, ["--database-url", URL, "--insecure-dev"]).insecure_dev
    monkeypatch.setenv("BATONPASS_EXAMPLE_INSECURE_DEV", "true")
    assert not load(Example, ["--database-url", URL, "--no-insecure-dev"]).insecure_dev
