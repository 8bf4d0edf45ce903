"""The embedded PostgreSQL: who it runs as, where its files are, and that nothing of it is left behind."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from service_kit.embedded import EmbeddedPostgres, StartFailed
from service_kit.pguser import PostgresUser
from tests.support.postgres import HASTY

ROOT = Path(__file__).resolve().parents[3]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to run PostgreSQL as somebody else")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that everybody may enter, unlike pytest's own."""
    path = Path(tempfile.mkdtemp(prefix="batonpass-embedded-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


async def run(server: EmbeddedPostgres, statement: str) -> object:
    connection = await asyncpg.connect(server.url())
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


def is_gone(pid: int) -> bool:
    try:
        psutil.Process(pid).wait(timeout=20)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return False
    return True


async def test_data_port_and_password_outlive_a_stop(folder: Path) -> None:
    server = EmbeddedPostgres(folder / "pg", settings=HASTY).start()
    url, pid = server.url(), server.pid
    await run(server, "CREATE TABLE kept AS SELECT 7 AS n")
    server.stop()
    assert is_gone(pid)
    server.start()
    assert server.url() == url
    assert await run(server, "SELECT n FROM kept") == 7
    server.remove()
    assert not (folder / "pg").exists()


async def test_killed_server_recovers_on_the_same_port(folder: Path) -> None:
    server = EmbeddedPostgres(folder / "pg", settings={"fsync": "off"}).start()
    port = server.port
    await run(server, "CREATE TABLE kept AS SELECT 7 AS n")
    server.kill()
    server.start()
    assert server.port == port
    assert await run(server, "SELECT n FROM kept") == 7
    server.remove()


async def test_settings_reach_the_server(folder: Path) -> None:
    server = EmbeddedPostgres(folder / "pg", settings={**HASTY, "max_connections": "17"}).start()
    assert await run(server, "SHOW max_connections") == "17"
    assert await run(server, "SHOW fsync") == "off"
    assert await run(server, "SHOW timezone") == "UTC"
    server.remove()


async def test_password_is_private_and_needed(folder: Path) -> None:
    server = EmbeddedPostgres(folder / "pg", settings=HASTY).start()
    assert (folder / "pg" / "password").stat().st_mode & 0o777 == 0o600
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(f"postgresql://batonpass:wrong@127.0.0.1:{server.port}/batonpass")
    server.remove()


async def test_second_handle_uses_the_live_server_and_leaves_it_running(folder: Path) -> None:
    first = EmbeddedPostgres(folder / "pg", settings=HASTY).start()
    second = EmbeddedPostgres(folder / "pg", settings=HASTY).start()
    assert second.url() == first.url()
    assert second.pid == first.pid
    second.stop()
    assert await run(first, "SELECT 1") == 1
    first.remove()


PARENT = """
import sys
from pathlib import Path
from service_kit.embedded import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]), settings={"fsync": "off"}).start()
print(server.pid, server._launcher.pid, flush=True)
sys.stdin.read()
"""


def start_parent(folder: Path, **arguments: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", PARENT, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        **arguments,  # type: ignore[call-overload]
    )


def pids_of(parent: "subprocess.Popen[str]") -> tuple[int, int]:
    assert parent.stdout is not None
    server, launcher = parent.stdout.readline().split()
    return int(server), int(launcher)


def end(parent: "subprocess.Popen[str]") -> None:
    parent.kill()
    parent.communicate()


def test_killed_parent_leaves_nothing(folder: Path) -> None:
    parent = start_parent(folder / "pg")
    server, launcher = pids_of(parent)
    end(parent)
    assert is_gone(server)
    assert is_gone(launcher)


def test_killed_launcher_leaves_nothing(folder: Path) -> None:
    parent = start_parent(folder / "pg")
    server, launcher = pids_of(parent)
    os.kill(launcher, signal.SIGKILL)
    assert is_gone(server)
    end(parent)


async def test_start_after_a_killed_launcher_waits_for_its_server(folder: Path) -> None:
    parent = start_parent(folder / "pg")
    _, launcher = pids_of(parent)
    os.kill(launcher, signal.SIGKILL)
    server = EmbeddedPostgres(folder / "pg", settings=HASTY).start()
    assert await run(server, "SELECT 1") == 1
    end(parent)
    server.remove()


@as_root
async def test_root_runs_it_as_somebody_else(folder: Path) -> None:
    server = EmbeddedPostgres(folder / "pg", settings=HASTY).start()
    assert psutil.Process(server.pid).username() == "nobody"
    server.remove()


@as_root
async def test_files_live_elsewhere_below_a_private_folder(folder: Path) -> None:
    """Nothing below a 0700 folder can be reached by PostgreSQL's user; the modes of that folder stay."""
    private = folder / "private"
    private.mkdir(mode=0o700)
    server = EmbeddedPostgres(private / "state" / "pg", settings=HASTY).start()
    await run(server, "CREATE TABLE kept AS SELECT 7 AS n")
    server.stop()
    home = Path((private / "state" / "pg" / "home").read_text().strip())
    assert not home.is_relative_to(private)
    assert private.stat().st_mode & 0o777 == 0o700
    server.start()
    assert await run(server, "SELECT n FROM kept") == 7
    server.remove()
    assert not home.exists()


@as_root
async def test_copy_of_a_private_folder_gets_files_of_its_own(folder: Path) -> None:
    private = folder / "private"
    private.mkdir(mode=0o700)
    original = EmbeddedPostgres(private / "pg", settings=HASTY).start()
    shutil.copytree(private / "pg", private / "copy")
    copied = EmbeddedPostgres(private / "copy", settings=HASTY).start()
    assert copied.pid != original.pid
    copied.remove()
    original.remove()


@as_root
def test_plain_user_runs_it_as_himself(folder: Path) -> None:
    # initdb wants a user that the system knows, and one apart from `nobody`.
    entry = pwd.getpwnam("daemon")
    plain = PostgresUser(entry.pw_uid, entry.pw_gid)
    if not all(plain.can_enter(Path(place)) for place in (ROOT, Path(sys.executable).resolve().parent)):
        pytest.skip("this checkout or its environment is below a folder that others cannot enter")
    plain.give(folder)
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    parent = start_parent(folder / "pg", env=env, **plain.arguments())
    server, _ = pids_of(parent)
    assert psutil.Process(server).uids().real == entry.pw_uid
    end(parent)
    assert is_gone(server)


def test_missing_programs_are_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATONPASS_PG_BIN", "/nowhere/bin")
    with pytest.raises(StartFailed, match="no PostgreSQL programs found"):
        EmbeddedPostgres(folder / "pg").start()


async def test_system_postgresql_works_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not installed:
        pytest.skip("no PostgreSQL is installed on this system")
    monkeypatch.setenv("BATONPASS_PG_BIN", str(installed[-1]))
    server = EmbeddedPostgres(folder / "pg", settings=HASTY).start()
    assert str(await run(server, "SHOW server_version")).startswith(installed[-1].parent.name)
    server.remove()


def test_data_of_another_version_is_refused_with_a_way_out(folder: Path) -> None:
    data = folder / "pg" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("9\n")
    with pytest.raises(StartFailed, match="belongs to PostgreSQL 9"):
        EmbeddedPostgres(folder / "pg").start()
