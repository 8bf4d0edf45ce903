"""Where the client looks for the services, and what it refuses."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from batonpass import Client, ConfigurationError, TlsFiles
from batonpass.client.endpoints import endpoint, require_safe
from batonpass.targets import is_loopback


def write(home: Path, content: object) -> None:
    home.mkdir(exist_ok=True)
    (home / "endpoints.json").write_text(content if isinstance(content, str) else json.dumps(content))


def test_given_comes_before_variable_before_file(tmp_path):
    write(tmp_path, {"queue": "127.0.0.1:3"})
    environ = {"BATONPASS_QUEUE": "127.0.0.1:2", "BATONPASS_HOME": str(tmp_path)}
    assert endpoint("queue", "127.0.0.1:1", environ) == "127.0.0.1:1"
    assert endpoint("queue", None, environ) == "127.0.0.1:2"
    assert endpoint("queue", None, {"BATONPASS_HOME": str(tmp_path)}) == "127.0.0.1:3"


def test_without_home_it_is_looked_for_from_the_working_directory_upwards(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / ".batonpass", {"scheduler": "127.0.0.1:4"})
    assert endpoint("scheduler", None, {}) == "127.0.0.1:4"
    (tmp_path / "below" / ".batonpass").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "below")
    assert endpoint("scheduler", None, {}) == "127.0.0.1:4", "the nearest folder upwards that has the file"


@pytest.mark.parametrize("content", [{}, {"scheduler": "h:1"}, []])
def test_an_unknown_endpoint_is_an_error_that_says_what_to_set(tmp_path, content):
    write(tmp_path, content)
    with pytest.raises(ConfigurationError, match="BATONPASS_QUEUE"):
        endpoint("queue", None, {"BATONPASS_HOME": str(tmp_path)})


@pytest.mark.parametrize("content", ["{", {"queue": 7}])
def test_a_broken_file_is_named(tmp_path, content):
    write(tmp_path, content)
    with pytest.raises(ConfigurationError, match=r"endpoints\.json"):
        endpoint("queue", None, {"BATONPASS_HOME": str(tmp_path)})


@pytest.mark.parametrize(
    "target",
    [
        "localhost:1",
        "127.0.0.1:1",
        "127.8.9.1:1",
        "[::1]:1",
        "unix:/tmp/x",
        "dns:///localhost:1",
        "ipv4:127.0.0.1:1,127.0.0.2:1",
    ],
)
def test_loopback_needs_no_tls(target):
    assert is_loopback(target)
    require_safe(target, None)


@pytest.mark.parametrize(
    "target",
    ["queue:1", "10.0.0.1:1", "[2001:db8::1]:1", "ipv4:127.0.0.1:1,10.0.0.1:1", "localhost.evil:1", ""],
)
def test_plaintext_to_another_machine_is_refused(target):
    with pytest.raises(ConfigurationError, match="needs TLS"):
        require_safe(target, None)
    require_safe(target, TlsFiles(Path("ca.pem")))


def test_a_missing_tls_file_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"none\.pem"):
        TlsFiles(tmp_path / "none.pem").read()
    with pytest.raises(ConfigurationError, match="belong together"):
        TlsFiles(tmp_path / "none.pem", cert=tmp_path / "c.pem").read()


def test_tls_files_come_from_the_environment():
    assert TlsFiles.from_environment({}) is None
    environ = {"BATONPASS_TLS_CA": "a", "BATONPASS_TLS_CERT": "b", "BATONPASS_TLS_KEY": "c"}
    assert TlsFiles.from_environment(environ) == TlsFiles(Path("a"), Path("b"), Path("c"))


def test_a_client_without_scheduler_can_still_use_the_queue(tmp_path, monkeypatch):
    """Each endpoint is looked up when it is first needed."""
    monkeypatch.chdir(tmp_path)
    for name in ("BATONPASS_HOME", "BATONPASS_SCHEDULER", "BATONPASS_QUEUE"):
        monkeypatch.delenv(name, raising=False)
    with Client(queue="127.0.0.1:1") as client, pytest.raises(ConfigurationError, match="scheduler"):
        client.get_schedule("s")


def test_a_closed_client_says_so():
    client = Client(queue="127.0.0.1:1")
    client.close()
    with pytest.raises(ConfigurationError, match="closed"):
        client.get_task("t")


def test_importing_the_package_loads_neither_grpc_nor_the_server_side():
    code = (
        "import sys, batonpass, batonpass.client, batonpass.agent; dir(batonpass);"
        "heavy = {'grpc', 'google', 'sqlalchemy', 'pydantic', 'psutil', 'asyncio'} & set(sys.modules);"
        "sys.exit(repr(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment())
    assert done.returncode == 0, done.stderr


def environment() -> dict[str, str]:
    return {"PYTHONPATH": ":".join(path for path in sys.path if path)}
