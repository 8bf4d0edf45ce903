"""`batonpass certs`: certificates for development."""

import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from batonpass.cli.failure import Failure, Fault, Misuse
from batonpass.cli.format import time
from batonpass.cli.session import Session, pass_session
from batonpass.cli.verb import Noun

if TYPE_CHECKING:
    from batonpass.cli.authority import Pem

PARTS: Final = ("scheduler", "queue", "agent", "cli")
HOSTS: Final = ("localhost", "127.0.0.1", "::1", "scheduler", "queue")
_NAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?")


@click.group(cls=Noun)
def certs() -> None:
    """Make certificates for development."""


@certs.command(
    examples="""
    batonpass certs init
    batonpass certs init --out /etc/batonpass/tls --host batonpass.example.org --host 10.0.0.7
    batonpass certs init --name scheduler --name queue --name agent-1 --name agent-2 --name cli
    """
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("certs"),
    show_default=True,
    help="Directory to put them in.",
)
@click.option(
    "--name",
    "names",
    multiple=True,
    metavar="NAME",
    help=f"Part to make a certificate for; repeatable.  [default: {', '.join(PARTS)}]",
)
@click.option(
    "--host",
    "hosts",
    multiple=True,
    metavar="HOST",
    help="One more host of the services; repeatable.",
)
@click.option("--force", is_flag=True, help="Replace what is there; the old certificates stop working.")
@pass_session
def init(session: Session, out: Path, names: Sequence[str], hosts: Sequence[str], force: bool) -> None:
    """Make an authority of your own and certificates that it signs, for mutual TLS between the parts.

    For development: the authority's key lies beside them, readable by you alone. They are valid for 825 days.
    """
    from batonpass.cli.authority import LEAF_LIFE, Authority

    parts = names or PARTS
    _check(parts, hosts)
    now = datetime.now(UTC)
    authority = Authority(now)
    made = {"ca": authority.pem, **{name: authority.issue(name, _hosts(name, hosts)) for name in parts}}
    _write(out, made, force)
    record = {"directory": str(out), "names": list(made), "valid_until": time(now + LEAF_LIFE)}
    session.say(record, *_sentences(out, parts))


def _check(names: Sequence[str], hosts: Sequence[str]) -> None:
    for name in names:
        if not _NAME.fullmatch(name) or name == "ca":
            raise click.UsageError(f"--name {name!r}: write letters, digits, dots and hyphens, but not `ca`.")
    for host in hosts:
        if not _NAME.fullmatch(host) and ":" not in host:
            raise click.UsageError(f"--host {host!r} is neither a host name nor an IP address.")


def _hosts(name: str, more: Sequence[str]) -> list[str]:
    return list(dict.fromkeys((name, *HOSTS, *more)))


def _write(out: Path, made: "dict[str, Pem]", force: bool) -> None:
    files = {path: file for name, pem in made.items() for path, file in _files(out, name, pem).items()}
    there = [path for path in files if path.exists()]
    if there and not force:
        hint = "--force replaces all of them; --out puts the new ones elsewhere."
        raise Misuse(Fault("ALREADY_EXISTS", f"{there[0]} exists already; nothing was written", hint=hint))
    try:
        out.mkdir(parents=True, exist_ok=True)
        for path, (content, mode) in files.items():
            _replace(path, content, mode)
    except OSError as error:
        raise Failure(Fault("FAILED", f"cannot write {error.filename}: {error.strerror}")) from None


def _files(out: Path, name: str, pem: "Pem") -> dict[Path, tuple[bytes, int]]:
    return {out / f"{name}.pem": (pem.certificate, 0o644), out / f"{name}.key": (pem.key, 0o600)}


def _replace(path: Path, content: bytes, mode: int) -> None:
    """Writes a file that has `mode` before it has content."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def _sentences(out: Path, parts: Sequence[str]) -> list[str]:
    server = next((name for name in parts if name in ("scheduler", "queue")), parts[0])
    client = "cli" if "cli" in parts else parts[-1]
    return [
        f"Made ca, {', '.join(parts)} in {out}.",
        "Services:",
        f"  --tls-ca {out}/ca.pem --tls-cert {out}/{server}.pem --tls-key {out}/{server}.key",
        "Command line and agents:",
        f"  BATONPASS_TLS_CA={out}/ca.pem",
        f"  BATONPASS_TLS_CERT={out}/{client}.pem",
        f"  BATONPASS_TLS_KEY={out}/{client}.key",
    ]
