"""A certificate authority for development: names and times in, PEM out."""

import ipaddress
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_LIFE: Final = timedelta(days=3650)
LEAF_LIFE: Final = timedelta(days=825)
_CLOCK_SKEW: Final = timedelta(minutes=5)


class Pem(NamedTuple):
    """A certificate and its private key, in PEM."""

    certificate: bytes
    key: bytes


class Authority:
    """A new authority: EC P-256, valid from `now` for ten years."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = self._self_signed()

    @property
    def pem(self) -> Pem:
        """Its own certificate and key."""
        return _pem(self._certificate, self._key)

    def issue(self, name: str, hosts: Sequence[str]) -> Pem:
        """A certificate for `name`, as server on any of `hosts` (DNS names, IP addresses) and as client."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(name, key.public_key(), LEAF_LIFE)
        for extension, critical in self._leaf_extensions(key.public_key(), hosts):
            builder = builder.add_extension(extension, critical)
        return _pem(builder.sign(self._key, hashes.SHA256()), key)

    def _self_signed(self) -> x509.Certificate:
        public = self._key.public_key()
        builder = self._builder("Batonpass development CA", public, CA_LIFE)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        return builder.sign(self._key, hashes.SHA256())

    def _builder(
        self, name: str, public: ec.EllipticCurvePublicKey, life: timedelta
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(_name("Batonpass development CA"))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - _CLOCK_SKEW)
            .not_valid_after(self._now + life)
        )

    def _leaf_extensions(
        self, public: ec.EllipticCurvePublicKey, hosts: Sequence[str]
    ) -> list[tuple[x509.ExtensionType, bool]]:
        both_sides = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return [
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (_usage(signs_certificates=False), True),
            (x509.ExtendedKeyUsage(both_sides), False),
            (x509.SubjectAlternativeName([_host(host) for host in hosts]), False),
            (x509.SubjectKeyIdentifier.from_public_key(public), False),
            (signer, False),
        ]


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Pem:
    return Pem(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )
