"""The contract: every part documented, the generated code fresh, every call served and reachable."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import grpc_tools
import pytest
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)
from grpc_tools import protoc

from tests.support.npm import npm_project

ROOT = Path(__file__).resolve().parents[2]
PROTOS = ROOT / "protos"
OWN = sorted(path.relative_to(PROTOS).as_posix() for path in (PROTOS / "batonpass").rglob("*.proto"))

# Where a part stands in its file: numbers of fields of FileDescriptorProto and indices, in turn.
Location = tuple[int, ...]
MESSAGE, ENUM, SERVICE = 4, 5, 6


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[FileDescriptorProto]:
    """Descriptors of our own protos, comments included."""
    target = tmp_path_factory.mktemp("protos") / "descriptors"
    well_known = Path(grpc_tools.__file__).parent / "_proto"
    arguments = [f"-I{PROTOS}", f"-I{well_known}", "--include_source_info", f"--descriptor_set_out={target}"]
    assert protoc.main(["protoc", *arguments, *OWN]) == 0
    return list(FileDescriptorSet.FromString(target.read_bytes()).file)


def test_every_part_of_the_contract_has_a_comment(files):
    undocumented = [f"{file.name}: {name}" for file in files for name in without_comment(file)]
    assert not undocumented, "\n".join(undocumented)


def test_every_call_says_what_repeating_it_does(files):
    """Of the unary ones; what a peer of a stream may rely on takes more than a sentence."""
    silent = [
        f"{service.name}.{method.name}"
        for file in files
        for number, service in enumerate(file.service)
        for index, method in enumerate(service.method)
        if not (method.client_streaming or method.server_streaming)
        if "epeat" not in comments(file).get((SERVICE, number, 2, index), "")
    ]
    assert not silent, silent


def test_no_generated_stub_lacks_documentation():
    stubs = list((ROOT / "clients" / "python" / "batonpass").rglob("*_pb2_grpc.py"))
    assert stubs
    bare = [path.name for path in stubs if "Missing associated documentation" in path.read_text()]
    assert not bare


def test_generated_python_is_what_the_protos_say():
    done = subprocess.run(
        [sys.executable, PROTOS / "generate.py", "--check"],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_buf_lint_finds_nothing():
    with npm_project() as project:
        project.run("buf", "lint", str(PROTOS))


def test_contract_only_grows(tmp_path):
    """`buf breaking` against the protos of the branch `main`."""
    base = tmp_path / "main"
    base.mkdir()
    archive = archive_of(("main", "origin/main"))
    if archive is None:
        pytest.skip("no branch main with protos to compare with")
    subprocess.run(["tar", "-x", "-C", base], input=archive, check=True)
    with npm_project() as project:
        project.run("buf", "breaking", str(PROTOS), "--against", str(base / "protos"))


def archive_of(branches: Sequence[str]) -> bytes | None:
    """A tar of `protos` on the first branch there is."""
    for branch in branches:
        done = subprocess.run(
            ["git", "archive", branch, "protos"], cwd=ROOT, capture_output=True, check=False
        )
        if done.returncode == 0:
            return done.stdout
    return None


def without_comment(file: FileDescriptorProto) -> Iterator[str]:
    """Names of the services, calls, messages, fields, oneofs, enums and values without a comment before."""
    known = comments(file)
    return (name for path, name in parts(file) if not known.get(path, "").strip())


def comments(file: FileDescriptorProto) -> dict[Location, str]:
    return {tuple(place.path): place.leading_comments for place in file.source_code_info.location}


def parts(file: FileDescriptorProto) -> Iterator[tuple[Location, str]]:
    for number, service in enumerate(file.service):
        yield (SERVICE, number), service.name
        for index, method in enumerate(service.method):
            yield (SERVICE, number, 2, index), f"{service.name}.{method.name}"
    for number, enum in enumerate(file.enum_type):
        yield from enum_parts((ENUM, number), enum)
    for number, message in enumerate(file.message_type):
        yield from message_parts((MESSAGE, number), message)


def message_parts(path: Location, message: DescriptorProto) -> Iterator[tuple[Location, str]]:
    if message.options.map_entry:
        return
    yield path, message.name
    for index, field in enumerate(message.field):
        yield (*path, 2, index), f"{message.name}.{field.name}"
    for index, oneof in enumerate(message.oneof_decl):
        if not is_synthetic(message, index):
            yield (*path, 8, index), f"{message.name}.{oneof.name}"
    for index, enum in enumerate(message.enum_type):
        yield from enum_parts((*path, 4, index), enum)
    for index, nested in enumerate(message.nested_type):
        yield from message_parts((*path, 3, index), nested)


def is_synthetic(message: DescriptorProto, oneof: int) -> bool:
    """Whether the oneof is the compiler's own, made for an `optional` field."""
    return any(field.proto3_optional and field.oneof_index == oneof for field in message.field)


def enum_parts(path: Location, enum: EnumDescriptorProto) -> Iterator[tuple[Location, str]]:
    yield path, enum.name
    for index, value in enumerate(enum.value):
        yield (*path, 2, index), f"{enum.name}.{value.name}"
