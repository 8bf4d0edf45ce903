"""`batonpass certs init`: a development CA whose certificates work for mutual TLS."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from batonpass.cli import authority
from batonpass.queue.v1 import queue_service_pb2, queue_service_pb2_grpc
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.unit.cli.conftest import CommandLine

PARTS = ("scheduler", "queue", "agent", "cli")


@pytest.fixture
def folder(batonpass: CommandLine, tmp_path: Path) -> Path:
    made = batonpass.json("certs", "init", "--out", str(tmp_path / "tls"), "--host", "10.0.0.7")
    assert made["names"] == ["ca", *PARTS]
    return tmp_path / "tls"


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_keys_are_for_their_owner_only(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        f"{name}.{kind}" for name in ("ca", *PARTS) for kind in ("key", "pem")
    )
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.glob("*.key")} == {0o600}


@pytest.mark.parametrize("name", PARTS)
def test_certificates_are_signed_and_limited(folder: Path, name: str) -> None:
    ca, leaf = certificate(folder / "ca.pem"), certificate(folder / f"{name}.pem")
    leaf.verify_directly_issued_by(ca)
    assert isinstance(leaf.public_key(), ec.EllipticCurvePublicKey)
    basic = leaf.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (basic.critical, basic.value.ca) == (True, False)
    uses = set(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    assert uses == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    alternatives = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    names = set(alternatives.get_values_for_type(x509.DNSName))
    assert names == {"localhost", "scheduler", "queue", name}
    addresses = {str(address) for address in alternatives.get_values_for_type(x509.IPAddress)}
    assert addresses == {"127.0.0.1", "::1", "10.0.0.7"}


def test_lives_are_ten_years_and_825_days() -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    made = authority.Authority(now)
    ca = x509.load_pem_x509_certificate(made.pem.certificate)
    leaf = x509.load_pem_x509_certificate(made.issue("queue", ["queue"]).certificate)
    assert ca.not_valid_after_utc == now + timedelta(days=3650)
    assert leaf.not_valid_after_utc == now + timedelta(days=825)
    assert leaf.not_valid_before_utc < now, "clocks that are a little behind accept it"


def test_nothing_is_overwritten_without_force(batonpass: CommandLine, folder: Path) -> None:
    before = (folder / "ca.key").read_bytes()
    error = batonpass.error("certs", "init", "--out", str(folder), expect=2)
    assert error["code"] == "ALREADY_EXISTS"
    assert "--force" in error["hint"]
    assert (folder / "ca.key").read_bytes() == before
    batonpass("certs", "init", "--out", str(folder), "--force")
    assert (folder / "ca.key").read_bytes() != before


def test_parts_can_be_named(batonpass: CommandLine, tmp_path: Path) -> None:
    batonpass("certs", "init", "--out", str(tmp_path / "tls"), "--name", "queue", "--name", "agent-2")
    assert {path.stem for path in (tmp_path / "tls").iterdir()} == {"ca", "queue", "agent-2"}


@pytest.mark.parametrize("words", [("--name", "ca"), ("--name", "../x"), ("--host", "a b")])
def test_names_that_would_do_harm_are_refused(
    batonpass: CommandLine, tmp_path: Path, words: tuple[str, ...]
) -> None:
    batonpass("certs", "init", "--out", str(tmp_path / "tls"), *words, expect=2)
    assert not (tmp_path / "tls").exists()


def test_a_directory_that_cannot_be_made_is_told(batonpass: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = batonpass("certs", "init", "--out", str(tmp_path / "file" / "tls"), expect=1)
    assert "cannot write" in result.stderr


async def test_both_sides_of_a_connection_accept_them(
    batonpass: CommandLine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that demands a client certificate answers the command line, and nobody without one."""
    import asyncio

    server = grpc.aio.server()
    queue_service_pb2_grpc.add_QueueServiceServicer_to_server(Empty(), server)  # type: ignore[abstract]
    pair = ((folder / "queue.key").read_bytes(), (folder / "queue.pem").read_bytes())
    ca = (folder / "ca.pem").read_bytes()
    port = server.add_secure_port(
        "127.0.0.1:0", grpc.ssl_server_credentials([pair], ca, require_client_auth=True)
    )
    await server.start()
    words = ["--queue-address", f"127.0.0.1:{port}", "--tls-ca", str(folder / "ca.pem")]
    own = ["--tls-cert", str(folder / "cli.pem"), "--tls-key", str(folder / "cli.key")]
    try:
        await asyncio.to_thread(batonpass, *words, *own, "executor", "list")
        refused = await asyncio.to_thread(batonpass, *words, "executor", "list", expect=1)
        assert "cannot be reached" in refused.stderr
        assert "check --tls-ca, --tls-cert and --tls-key" in refused.stderr
    finally:
        await server.stop(None)


class Empty(queue_service_pb2_grpc.QueueServiceServicer):
    """Knows no executors."""

    async def ListExecutors(
        self, request: object, context: object
    ) -> queue_service_pb2.ListExecutorsResponse:
        return queue_service_pb2.ListExecutorsResponse()
