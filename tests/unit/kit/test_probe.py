"""The health probe, against a real server on loopback."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest
from batonpass.cli.authority import Authority
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from service_kit.probe import main

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class Server:
    """A gRPC server that has nothing but health."""

    def __init__(self, credentials: grpc.ServerCredentials | None = None) -> None:
        self.health = health.HealthServicer()
        self._server = grpc.server(ThreadPoolExecutor(1))
        health_pb2_grpc.add_HealthServicer_to_server(self.health, self._server)
        address = "127.0.0.1:0"
        port = (
            self._server.add_secure_port(address, credentials)
            if credentials
            else self._server.add_insecure_port(address)
        )
        self.address = f"127.0.0.1:{port}"

    def __enter__(self) -> "Server":
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(None).wait()


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def test_serving_is_exit_code_0(server):
    server.health.set("", SERVING)
    assert main([server.address, "--insecure-dev"]) == 0


def test_not_serving_is_exit_code_1_and_said(server, capsys):
    server.health.set("", NOT_SERVING)
    assert main([server.address, "--insecure-dev"]) == 1
    assert "NOT_SERVING" in capsys.readouterr().err


def test_one_service_of_the_server_can_be_asked_for(server, capsys):
    server.health.set("batonpass.queue.v1.QueueService", SERVING)
    assert main([server.address, "--insecure-dev", "--service", "batonpass.queue.v1.QueueService"]) == 0
    assert main([server.address, "--insecure-dev", "--service", "unknown"]) == 1
    assert "NOT_FOUND" in capsys.readouterr().err


def test_nobody_there_is_exit_code_1(capsys):
    assert main(["127.0.0.1:1", "--insecure-dev", "--timeout", "1"]) == 1
    assert "UNAVAILABLE" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["127.0.0.1:1"], "--insecure-dev"),
        (["192.0.2.1:1", "--insecure-dev"], "TLS"),
        (["127.0.0.1:1", "--tls-cert", "cert.pem"], "belong together"),
    ],
)
def test_wrong_use_is_exit_code_2(arguments, said, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err


def test_mutual_tls_under_the_name_of_the_certificate(tmp_path: Path, capsys):
    authority = Authority(datetime.now(UTC))
    own = authority.issue("queue", ["queue"])
    ca, cert, key = authority.pem.certificate, own.certificate, own.key
    files = []
    for flag, content in (("--tls-ca", ca), ("--tls-cert", cert), ("--tls-key", key)):
        (tmp_path / flag).write_bytes(content)
        files += [flag, str(tmp_path / flag)]
    with Server(grpc.ssl_server_credentials([(key, cert)], ca, require_client_auth=True)) as server:
        server.health.set("", SERVING)
        assert main([server.address, *files, "--server-name", "queue"]) == 0
        assert main([server.address, *files, "--timeout", "1"]) == 1
    assert "127.0.0.1" in capsys.readouterr().err
