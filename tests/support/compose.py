"""compose.yaml as data: its services, and their commands."""

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]

Service = dict[str, Any]


def read_compose() -> dict[str, Any]:
    """The whole document, anchors and merges resolved."""
    document: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return document


def own_services(document: dict[str, Any]) -> dict[str, Service]:
    """Those that run the image built from this checkout."""
    return {
        name: service
        for name, service in document["services"].items()
        if service["image"].startswith("batonpass:")
    }


def build_sources() -> list[str]:
    """Paths of the checkout that the first stage of the Containerfile copies."""
    stage = (ROOT / "Containerfile").read_text().split("\nFROM ")[1]
    lines = [line.split() for line in stage.splitlines() if line.startswith("COPY ")]
    return [path for line in lines for path in line[1:-1]]


def command_of(service: Service) -> list[str]:
    """Program and arguments as the container runs them; `$$` is compose's spelling of `$`."""
    words = [*service.get("entrypoint", []), *service.get("command", [])]
    return [word.replace("$$", "$") for word in words]


def healthcheck_of(service: Service) -> list[str]:
    """Program and arguments of the health check."""
    kind, *words = service["healthcheck"]["test"]
    assert kind == "CMD", "written as a list, so that no shell reads it"
    return words
