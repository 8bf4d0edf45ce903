"""The addresses of a running stack, for people."""

from typing import Final

from service_kit.dev.state import StateFolder
from service_kit.dsn import without_password

METRICS: Final = "_metrics"
"""`NAME_metrics` is where the service NAME answers /metrics and /healthz."""


def print_addresses(state: StateFolder) -> dict[str, str]:
    """Prints them in the form in which `up` does; returns them by name."""
    endpoints = state.published()
    for name, address in endpoints.items():
        if name == "database":
            print(f"{name:10} {without_password(address) or 'as each service has been told'}")
        elif not name.endswith(METRICS):
            print(service_line(name, address, endpoints.get(name + METRICS, "")))
    return endpoints


def service_line(name: str, address: str, metrics: str) -> str:
    """Where one service listens."""
    return f"{name:10} {address} (metrics http://{metrics}/metrics)"
