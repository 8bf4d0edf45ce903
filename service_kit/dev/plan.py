"""What belongs to the development stack, as pyproject.toml says it."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class ServicePlan:
    """A service: `python -m MODULE migrate`, then `python -m MODULE` with the flags every service knows."""

    name: str
    module: str
    flags: tuple[str, ...] = ()

    @property
    def address_variable(self) -> str:
        """Where clients look for this service's address."""
        return f"BATONPASS_{self.name.upper()}"

    @property
    def database_variable(self) -> str:
        """Where this service looks for its own database before it looks at DATABASE_URL."""
        return f"BATONPASS_{self.name.upper()}_DATABASE_URL"


@dataclass(frozen=True)
class ClientPlan:
    """A program that runs as long as the services do."""

    name: str
    command: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """The whole stack, in the order of its start."""

    services: tuple[ServicePlan, ...]
    clients: tuple[ClientPlan, ...]
    load: tuple[str, ...]
    watch: tuple[str, ...]
    data: tuple[str, ...]
    """Names in the state folder that clients write and `reset` deletes."""


def read_plan(file: Path | None = None) -> Plan:
    """Reads `[tool.batonpass.stack]` of `file`, or of what BATONPASS_STACK names, or of pyproject.toml."""
    file = file or Path(os.environ.get("BATONPASS_STACK") or ROOT / "pyproject.toml")
    return parse_plan(tomllib.loads(file.read_text())["tool"]["batonpass"]["stack"])


def parse_plan(table: Mapping[str, Any]) -> Plan:
    """The plan from its TOML table."""
    services = (
        ServicePlan(entry["name"], entry["module"], tuple(entry.get("flags", ())))
        for entry in table["services"]
    )
    clients = (ClientPlan(entry["name"], tuple(entry["command"])) for entry in table.get("clients", ()))
    rest = {key: tuple(table.get(key, ())) for key in ("load", "watch", "data")}
    return Plan(tuple(services), tuple(clients), **rest)
