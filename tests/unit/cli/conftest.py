"""The command line against scripted services."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click.testing
import pytest
from batonpass.cli.main import cli

from tests.support.fake_services import FakeServices


@pytest.fixture
def services() -> Iterator[FakeServices]:
    with FakeServices() as services:
        yield services


class CommandLine:
    """Runs `batonpass WORDS` in this process."""

    def __call__(self, *words: str, expect: int = 0, input: str | None = None) -> click.testing.Result:
        result = click.testing.CliRunner().invoke(cli, list(words), input=input, prog_name="batonpass")
        assert result.exit_code == expect, f"{words}: {result.exit_code}\n{result.stdout}\n{result.stderr}"
        return result

    def json(self, *words: str, expect: int = 0) -> Any:
        """What the command prints with `-o json`."""
        return json.loads(self(*words, "-o", "json", expect=expect).stdout)

    def error(self, *words: str, expect: int = 1) -> Any:
        """What the command says on stderr with `-o json` when it fails."""
        result = self(*words, "-o", "json", expect=expect)
        assert result.stdout == ""
        return json.loads(result.stderr)["error"]


@pytest.fixture
def batonpass(services: FakeServices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """The command line, which finds `services` and keeps its state below `tmp_path`."""
    for name in ("OUTPUT", "NAMESPACE", "ACTOR", "TIMEOUT", "TLS_CA", "TLS_CERT", "TLS_KEY", "DEBUG"):
        monkeypatch.delenv(f"BATONPASS_{name}", raising=False)
    monkeypatch.setenv("BATONPASS_SCHEDULER", services.address)
    monkeypatch.setenv("BATONPASS_QUEUE", services.address)
    monkeypatch.setenv("BATONPASS_HOME", str(tmp_path))
    return CommandLine()
