"""The generator of the stubs: `protos/generate.py`."""

import importlib.util
import shutil
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def generator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The program, writing into a copy of `clients/python`."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "protos" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    target = tmp_path / "python"
    shutil.copytree(ROOT / "clients" / "python", target, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(module, "TARGET", target)
    return module


def test_every_kind_of_drift_is_found_and_mended(
    generator: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    stubs = generator.TARGET / "batonpass" / "queue" / "v1"
    written = stubs.parent.parent / "options.py"
    (stubs / "task_pb2.py").write_text("stale")
    (stubs / "gone_pb2.py").touch()
    (stubs / "executor_pb2.pyi").unlink()
    assert generator.main(["--check"]) == 1
    said = capsys.readouterr().err
    assert f"differs: {stubs / 'task_pb2.py'}" in said
    assert f"left over: {stubs / 'gone_pb2.py'}" in said
    assert f"missing: {stubs / 'executor_pb2.pyi'}" in said
    assert generator.main([]) == 0
    assert generator.main(["--check"]) == 0
    assert written.read_text() == (ROOT / "clients" / "python" / "batonpass" / "options.py").read_text()
