"""compose.yaml: what the published schema says, and what this project promises beyond it.

`compose-spec.json` is the schema of the Compose Specification; README.md beside it says where it comes from.
No container engine is asked: tests/integration/test_container_commands.py runs the same commands without one.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.support.commands import in_shell, parse
from tests.support.compose import (
    ROOT,
    Service,
    build_sources,
    command_of,
    healthcheck_of,
    own_services,
    read_compose,
)

SCHEMA = Path(__file__).with_name("compose-spec.json")
PINNED = re.compile(r"^[a-z0-9./-]+:\d+\.\d+(\.\d+)?(-[a-z0-9.-]+)?$")
STAY_UP = ("scheduler", "queue", "agent", "postgres")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return read_compose()


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, Service]:
    found: dict[str, Service] = compose["services"]
    return found


def test_document_follows_the_published_schema(compose):
    schema = json.loads(SCHEMA.read_text())
    Draft202012Validator.check_schema(schema)
    errors = [
        f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(compose)
    ]
    assert not errors


@pytest.mark.parametrize("name", ["scheduler", "queue", "agent"])
def test_two_replicas_run(services, name):
    assert services[name]["deploy"]["replicas"] == 2


def test_own_parts_run_without_rights(compose):
    for name, service in own_services(compose).items():
        assert service["user"] == "10001:10001", name
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert not service.get("cap_add"), name
    assert all(not service.get("privileged") for service in compose["services"].values())
    assert all(
        "no-new-privileges:true" in service["security_opt"] for service in compose["services"].values()
    )


def test_image_runs_as_the_same_plain_user():
    lines = (ROOT / "Containerfile").read_text().splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users == ["10001:10001"]
    assert any("--uid 10001" in line for line in lines)


def test_build_gets_what_it_copies():
    """The ignore file leaves everything out but what it names."""
    lines = (ROOT / ".containerignore").read_text().splitlines()
    assert "*" in lines
    assert {f"!{path}" for path in [*build_sources(), "examples"]} == {
        line for line in lines if line[:1] == "!"
    }


def test_every_image_is_pinned(services):
    bases = re.findall(r"^FROM (\S+)", (ROOT / "Containerfile").read_text(), re.MULTILINE)
    images = {service["image"] for service in services.values()} | set(bases)
    assert len(images) == 3
    assert [image for image in images if not PINNED.match(image)] == []


def test_only_one_service_builds_the_image(services):
    assert [name for name, service in services.items() if "build" in service] == ["certs"]
    assert services["certs"]["build"] == {"context": ".", "dockerfile": "Containerfile"}


def test_everything_that_stays_up_is_watched_and_restarted(services):
    for name in STAY_UP:
        assert services[name]["restart"] == "unless-stopped", name
        assert healthcheck_of(services[name]), name


def test_everything_has_limits(services):
    for name, service in services.items():
        limits = service["deploy"]["resources"]["limits"]
        assert {"cpus", "memory", "pids"} <= limits.keys(), name


def test_parts_wait_for_what_they_need(services):
    def needs(name: str) -> dict[str, str]:
        return {other: how["condition"] for other, how in services[name]["depends_on"].items()}

    assert needs("postgres") == {"certs": "service_completed_successfully"}
    for service in ("queue", "scheduler"):
        assert needs(f"migrate-{service}") == {"postgres": "service_healthy"}
        assert needs(service)[f"migrate-{service}"] == "service_completed_successfully"
    assert needs("scheduler")["queue"] == needs("agent")["queue"] == "service_healthy"


def test_nothing_is_in_plain_text_off_loopback(services):
    for name, service in services.items():
        assert "ports" not in service, name
        assert not any("insecure" in word for word in command_of(service)), name
    for name in ("queue", "scheduler"):
        for words in (command_of(services[name]), healthcheck_of(services[name])):
            assert f"--tls-cert=/certs/{name}.pem" in words
            assert f"--tls-key=/certs/{name}.key" in words
            assert "--tls-ca=/certs/ca.pem" in words
        metrics = next(word for word in command_of(services[name]) if word.startswith("--metrics-listen="))
        assert metrics.startswith("--metrics-listen=127.0.0.1:"), "metrics are not encrypted"
    for name in ("agent", "cli"):
        files = {services[name]["environment"][f"BATONPASS_TLS_{part}"] for part in ("CA", "CERT", "KEY")}
        assert files == {"/certs/ca.pem", f"/certs/{name}.pem", f"/certs/{name}.key"}


def test_database_takes_tls_only(compose):
    rules = [line.split() for line in compose["configs"]["pg_hba"]["content"].splitlines()]
    assert {rule[0] for rule in rules} == {"local", "hostssl"}
    assert {rule[-1] for rule in rules} == {"scram-sha-256"}
    assert "--ssl=on" in compose["services"]["postgres"]["command"]
    url = example_variables()["BATONPASS_DATABASE_URL"]
    assert "sslmode=verify-full" in url
    assert "sslrootcert=/certs/ca.pem" in url


def test_agents_run_no_shell_commands(services):
    """Shell commands are for loopback; here an agent's tasks come over a network."""
    assert "--allow-shell" not in command_of(services["agent"])


def test_no_secret_is_committed(compose):
    assert example_variables()["BATONPASS_POSTGRES_PASSWORD"] == ""
    assert all(set(secret) == {"environment"} for secret in compose["secrets"].values())
    variables = {secret["environment"] for secret in compose["secrets"].values()}
    assert variables == example_variables().keys()
    text = (ROOT / "compose.yaml").read_text()
    assert not re.search(r"PASSWORD:|://[^/\s]+:[^/\s]+@", text)


@pytest.mark.parametrize("name", sorted(own_services(read_compose())))
def test_commands_are_understood_by_what_they_call(services, name):
    for words in commands(services[name]):
        parse(words)


def commands(service: Service) -> list[list[str]]:
    """Each command of ours that the service runs, those inside of its shell lines included."""
    words = command_of(service)
    found = [words] if words[:2] != ["sh", "-ec"] else in_shell(words[2])
    return found + ([healthcheck_of(service)] if "healthcheck" in service else [])


def example_variables() -> dict[str, str]:
    lines = (ROOT / "compose.env.example").read_text().splitlines()
    pairs = (line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return dict(pairs)
