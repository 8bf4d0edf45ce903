"""The TypeScript client, a foreign client from the same protos: fresh, and at work with a real queue."""

import filecmp
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.npm import SOURCE, NpmProject, npm_project
from tests.support.stack import Stack


@pytest.fixture
def project() -> Iterator[NpmProject]:
    with npm_project() as prepared:
        yield prepared


def test_generated_typescript_is_what_the_protos_say(project):
    project.run("npm", "run", "generate")
    assert differences(project.folder / "gen", SOURCE / "gen") == []


def test_client_enqueues_leases_and_completes_a_task(project, tmp_path):
    project.run("npm", "run", "build")
    with Stack(tmp_path) as stack:
        stack.start()
        done = project.run("npm", "run", "--silent", "example", env={"BATONPASS_QUEUE": stack.queue_address})
        report = json.loads(done.stdout)
        stored = stack.cli("task", "get", report["task_id"])
    assert report["enqueued"] == {"created": True, "state": "WAITING"}
    assert report["leased"]["state"] == "RUNNING"
    assert report["leased"]["payload"] == {"greeting": "hello"}
    assert report["completed"] == {"state": "SUCCEEDED", "attempt": 1}
    assert stored["state"] == "SUCCEEDED"


def test_lock_file_pins_every_package_and_names_no_registry():
    lock = json.loads((SOURCE / "package-lock.json").read_text())
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert packages
    assert all(entry["integrity"].startswith("sha512-") for entry in packages.values())
    assert "resolved" not in {key for entry in packages.values() for key in entry}
    manifest = json.loads((SOURCE / "package.json").read_text())
    wanted = manifest["dependencies"] | manifest["devDependencies"]
    assert {name: lock["packages"][f"node_modules/{name}"]["version"] for name in wanted} == wanted


def differences(one: Path, other: Path) -> list[str]:
    """Relative paths of the files that are missing on one side or differ in a byte."""
    names = {path.relative_to(side) for side in (one, other) for path in side.rglob("*") if path.is_file()}
    return sorted(str(name) for name in names if not same(one / name, other / name))


def same(one: Path, other: Path) -> bool:
    return one.is_file() and other.is_file() and filecmp.cmp(one, other, shallow=False)
