"""Asks a running service whether it serves; for health checks of containers and for people.

    python -m service_kit.probe 127.0.0.1:7402 --tls-cert C --tls-key K --tls-ca A [--server-name queue]
    python -m service_kit.probe 127.0.0.1:7402 --insecure-dev

Exit code 0: it answers SERVING. 1: it does not, and standard error says what it answered. 2: wrong use.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from service_kit.settings import SettingsError, exit_with
from service_kit.tls import TlsFiles, channel_credentials, require_plaintext_allowed, tls_files


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code; ends the process with 2 when it was called wrongly."""
    arguments = parser().parse_args(argv)
    try:
        files = tls_files(arguments.tls_cert, arguments.tls_key, arguments.tls_ca)
        channel = _channel(arguments.address, files, arguments.insecure_dev, arguments.server_name)
    except SettingsError as error:
        exit_with(str(error))
    with channel:
        answer = _ask(channel, arguments.service, arguments.timeout)
    if answer == "SERVING":
        return 0
    print(f"{arguments.address}: {answer}", file=sys.stderr)
    return 1


def _channel(address: str, files: TlsFiles | None, insecure_dev: bool, server_name: str) -> grpc.Channel:
    if files is None:
        require_plaintext_allowed(address, insecure_dev)
        return grpc.insecure_channel(address)
    options = [("grpc.ssl_target_name_override", server_name)] if server_name else []
    return grpc.secure_channel(address, channel_credentials(files), options=options)


def _ask(channel: grpc.Channel, service: str, timeout: float) -> str:
    """The serving status by name, or the error in words."""
    stub = health_pb2_grpc.HealthStub(channel)
    try:
        answer = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=timeout)
    except grpc.RpcError as error:
        return f"{error.code().name}: {error.details()}"
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


def parser() -> argparse.ArgumentParser:
    """The arguments that it takes."""
    parser = argparse.ArgumentParser(
        prog="python -m service_kit.probe",
        description="Exit code 0 when the service answers SERVING.",
        allow_abbrev=False,
    )
    parser.add_argument("address", metavar="HOST:PORT")
    parser.add_argument(
        "--service", default="", metavar="NAME", help="one gRPC service; default: the whole server"
    )
    parser.add_argument("--timeout", type=float, default=3.0, metavar="SECONDS", help="default 3")
    parser.add_argument("--tls-cert", type=Path, metavar="FILE", help="PEM certificate chain of the caller")
    parser.add_argument("--tls-key", type=Path, metavar="FILE", help="PEM private key of the caller")
    parser.add_argument(
        "--tls-ca", type=Path, metavar="FILE", help="PEM certificates the service is checked against"
    )
    parser.add_argument("--server-name", default="", metavar="NAME", help="name in the service's certificate")
    parser.add_argument("--insecure-dev", action="store_true", help="plaintext, on loopback only")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
