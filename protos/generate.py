"""Writes the generated Python code in `clients/python` from the `.proto` files, and the JSON Schema of files
from that: their only writer.

    python protos/generate.py            write, and delete what no proto yields any more
    python protos/generate.py --check    compare byte for byte and write nothing; exit 1 when stale

Each `protos/a/b.proto` becomes `clients/python/a/b_pb2.py(i)`, and `b_pb2_grpc.py(i)` when it has a service.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import grpc_tools
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_tools import protoc

PROTOS = Path(__file__).resolve().parent
TARGET = PROTOS.parent / "clients" / "python"
SCHEMA = PROTOS.parent / "docs" / "schema" / "batonpass.schema.json"
WELL_KNOWN = Path(grpc_tools.__file__).parent / "_proto"
BIN = Path(sys.executable).parent


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 written or fresh, 1 stale or refused by protoc."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare only; exit 1 when stale")
    check: bool = parser.parse_args(argv).check
    with tempfile.TemporaryDirectory(prefix="batonpass-gen-") as folder:
        fresh = Path(folder)
        generate(fresh)
        return compare(fresh) if check else replace(fresh)


def generate(target: Path) -> None:
    """Fills `target` with everything that belongs to the protos of today."""
    names = sorted(path.relative_to(PROTOS).as_posix() for path in PROTOS.rglob("*.proto"))
    with_service = sorted(services(names, target))
    run(names, f"--python_out={target}", f"--mypy_out=quiet:{target}")
    if with_service:
        run(with_service, f"--grpc_python_out={target}", f"--mypy_grpc_out=quiet:{target}")
    for name in names:
        add_packages(target, Path(name).parent)


def services(names: Sequence[str], scratch: Path) -> Iterator[str]:
    """Names of the files that declare a service."""
    descriptors = scratch / "descriptors"
    run(names, f"--descriptor_set_out={descriptors}")
    parsed = FileDescriptorSet.FromString(descriptors.read_bytes())
    descriptors.unlink()
    return (file.name for file in parsed.file if file.service)


def run(names: Sequence[str], *outputs: str) -> None:
    """Runs protoc; ends the program when it refuses."""
    plugins = [f"--plugin=protoc-gen-{name}={BIN / f'protoc-gen-{name}'}" for name in ("mypy", "mypy_grpc")]
    code = protoc.main(["protoc", f"-I{PROTOS}", f"-I{WELL_KNOWN}", *plugins, *outputs, *names])
    if code:
        raise SystemExit(code)


def add_packages(target: Path, folder: Path) -> None:
    """Makes `folder` importable; the top package `batonpass` is written by hand and left alone."""
    for package in [folder, *folder.parents]:
        if package.as_posix() not in (".", "batonpass"):
            (target / package / "__init__.py").touch()
    if folder.parts[0] != "batonpass":
        (target / folder.parts[0] / "py.typed").touch()


def owned(root: Path, fresh: Path) -> dict[Path, bytes]:
    """Relative path -> content of the generated files below `root`; `fresh` says which folders hold them."""
    folders = {path.parent.relative_to(fresh) for path in fresh.rglob("*") if path.is_file()}
    packages = {
        package for package in folders if package.parts[:1] != ("batonpass",) or len(package.parts) > 1
    }
    stale = {path.parent.relative_to(root) for path in root.rglob("*_pb2.py")}
    files = (path for folder in packages | stale for path in (root / folder).glob("*") if path.is_file())
    return {path.relative_to(root): path.read_bytes() for path in files}


def compare(fresh: Path) -> int:
    """Prints each difference; 1 when there is any."""
    want, have = owned(fresh, fresh), owned(TARGET, fresh)
    differing = sorted(path for path in want.keys() | have.keys() if want.get(path) != have.get(path))
    for path in differing:
        word = "missing" if path not in have else "left over" if path not in want else "differs"
        print(f"{word}: {TARGET / path}", file=sys.stderr)
    if differing:
        print("generated code is stale: run ./dev gen and commit the result", file=sys.stderr)
    return 1 if differing else 0


def replace(fresh: Path) -> int:
    """Makes the committed files equal to `fresh`, touching only those that differ."""
    want, have = owned(fresh, fresh), owned(TARGET, fresh)
    for path in have.keys() - want.keys():
        (TARGET / path).unlink()
    for path in sorted(want):
        if have.get(path) != want[path]:
            (TARGET / path).parent.mkdir(parents=True, exist_ok=True)
            (TARGET / path).write_bytes(want[path])
            print(f"wrote {path}")
    return write_schema()


def write_schema() -> int:
    """The JSON Schema of files follows from the code that was just written, so another process says it."""
    program = [sys.executable, "-m", "batonpass.cli.main", "schema"]
    environment = {**os.environ, "PYTHONPATH": str(TARGET)}
    said = subprocess.run(program, capture_output=True, text=True, check=False, env=environment)
    if said.returncode == 0:
        SCHEMA.write_text(said.stdout)
    else:
        print(said.stderr, file=sys.stderr)
    return said.returncode


if __name__ == "__main__":
    raise SystemExit(main())
