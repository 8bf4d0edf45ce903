"""`batonpass agent`: its options become the agent's configuration, and gRPC is not imported before it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from batonpass.agent import main as agent_main
from batonpass.client.endpoints import TlsFiles

from tests.unit.cli.conftest import CommandLine
from tests.unit.cli.test_help import python


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The configurations of the agents that were run; none runs for real."""
    configs: list[Any] = []

    def run(config: Any) -> int:
        configs.append(config)
        return 0

    monkeypatch.setattr(agent_main, "run", run)
    return configs


def test_options_become_the_configuration(batonpass: CommandLine, started: list[Any]) -> None:
    batonpass(
        *("--namespace", "team-a", "--actor", "kim", "--tls-ca", "ca.pem", "agent", "--name", "host-7"),
        *("--allow-shell", "--allow-http", "--label", "zone=eu", "--label", "disk=ssd", "--concurrency", "8"),
        *("--handlers", "images:worker", "--queue", "127.0.0.1:7402", "--grace", "1m"),
    )
    (config,) = started
    assert (config.name, config.queue, config.namespace, config.actor) == (
        "host-7",
        "127.0.0.1:7402",
        "team-a",
        "kim",
    )
    assert (config.allow_shell, config.allow_http, config.concurrency) == (True, True, 8)
    assert config.labels == {"zone": "eu", "disk": "ssd"}
    assert list(config.handlers) == ["images:worker"]
    assert config.grace == timedelta(minutes=1)
    assert config.tls == TlsFiles(Path("ca.pem"))


def test_nothing_is_allowed_by_default(batonpass: CommandLine, started: list[Any]) -> None:
    batonpass("--queue-address", "127.0.0.1:7402", "agent")
    (config,) = started
    assert (config.allow_shell, config.allow_http, config.labels, config.tls) == (False, False, {}, None)
    assert config.name, "the host's name"
    assert config.queue == "127.0.0.1:7402"


@pytest.mark.parametrize("words", [("--name", "a b"), ("--label", "zone"), ("--concurrency", "0")])
def test_wrong_options_are_wrong_usage(
    batonpass: CommandLine, started: list[Any], words: tuple[str, ...]
) -> None:
    batonpass("agent", *words, expect=2)
    assert started == []


def test_an_agent_that_had_to_end_fails(batonpass: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_main, "run", lambda config: 1)
    batonpass("agent", expect=1)


def test_grpc_is_not_imported_before_the_agent() -> None:
    """The process that guards its children is forked before gRPC starts threads."""
    program = (
        "import sys\nimport batonpass.agent.main as agent\n"
        "def run(config):\n    assert 'grpc' not in sys.modules\n    return 0\nagent.run = run\n"
        "from batonpass.cli.main import cli\ncli.main(['agent', '--allow-shell', '--queue', '127.0.0.1:1'])\n"
    )
    done = python("-c", program)
    assert done.returncode == 0, done.stderr
