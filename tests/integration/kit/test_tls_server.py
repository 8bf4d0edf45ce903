"""Mutual TLS on a real server, and certificates that are replaced while it runs."""

import os
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest
from batonpass.cli.authority import Authority
from cryptography import x509
from grpc_health.v1 import health_pb2, health_pb2_grpc

from service_kit.rpc import RpcServer
from service_kit.settings import SettingsError
from service_kit.tls import TlsFiles, channel_credentials, open_channel, server_credentials


class Part:
    """The TLS files of one part below `folder`."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir()
        self.files = TlsFiles(folder / f"{name}.pem", folder / f"{name}.key", folder / "ca.pem")
        self._name = name
        self._age = 0

    def write(self, authority: Authority) -> "Part":
        """Writes new files; each time they look one second newer than the last time."""
        issued = authority.issue(self._name, ["127.0.0.1"])
        contents = (issued.certificate, issued.key, authority.pem.certificate)
        paths = (self.files.cert, self.files.key, self.files.ca)
        self._age += 1
        for path, content in zip(paths, contents, strict=True):
            path.write_bytes(content)
            os.utime(path, (self._age, self._age))
        return self

    @property
    def serial_number(self) -> int:
        return x509.load_pem_x509_certificate(self.files.cert.read_bytes()).serial_number


@pytest.fixture
def authority() -> Authority:
    return Authority(datetime.now(UTC))


@pytest.fixture
def queue(tmp_path: Path, authority: Authority) -> Part:
    return Part(tmp_path / "queue", "queue").write(authority)


@pytest.fixture
def agent(tmp_path: Path, authority: Authority) -> Part:
    return Part(tmp_path / "agent", "agent").write(authority)


@pytest.fixture
async def address(queue: Part) -> AsyncIterator[str]:
    server = RpcServer()
    yield await server.start("127.0.0.1:0", tls=queue.files)
    await server.stop()


async def answers(address: str, files: TlsFiles) -> bool:
    async with open_channel(address, files, insecure_dev=False) as channel:
        call = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
        code = await call.code()
    assert code in (grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE)
    return code is grpc.StatusCode.OK


def shown_by(address: str) -> int:
    """The serial number of the certificate that a server shows."""
    host, _, port = address.rpartition(":")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    certificate = ssl.get_server_certificate((host, int(port)), timeout=5)
    return x509.load_pem_x509_certificate(certificate.encode()).serial_number


async def test_parts_of_one_authority_trust_each_other(address: str, agent: Part) -> None:
    assert await answers(address, agent.files)


async def test_stranger_is_not_let_in(address: str, authority: Authority, tmp_path: Path) -> None:
    stranger = Part(tmp_path / "stranger", "stranger").write(Authority(datetime.now(UTC)))
    trusting = TlsFiles(stranger.files.cert, stranger.files.key, tmp_path / "queue" / "ca.pem")
    assert not await answers(address, trusting)


async def test_server_of_another_authority_is_not_believed(address: str, tmp_path: Path) -> None:
    stranger = Part(tmp_path / "stranger", "stranger").write(Authority(datetime.now(UTC)))
    assert not await answers(address, stranger.files)


async def test_replaced_certificate_is_shown_without_a_restart(
    address: str, queue: Part, agent: Part, authority: Authority
) -> None:
    before = queue.serial_number
    assert shown_by(address) == before
    queue.write(authority)
    assert queue.serial_number != before
    assert await answers(address, agent.files)
    assert shown_by(address) == queue.serial_number


async def test_broken_replacement_leaves_the_old_one_in_force(address: str, queue: Part, agent: Part) -> None:
    queue.files.key.unlink()
    assert await answers(address, agent.files)


def test_unreadable_files_are_refused_at_the_start(queue: Part) -> None:
    queue.files.key.unlink()
    for credentials in (server_credentials, channel_credentials):
        with pytest.raises(SettingsError, match=r"queue\.key"):
            credentials(queue.files)


def test_channel_off_this_machine_needs_tls() -> None:
    with pytest.raises(SettingsError, match="TLS"):
        open_channel("10.0.0.1:1", None, insecure_dev=True)
