"""The contract: every part documented, the generated code fresh, every call served and reachable."""

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import grpc
import grpc_tools
import pytest
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
)
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_tools import protoc

from tests.support.npm import npm_project
from tests.support.stack import Stack

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


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack")) as running:
        running.start()
        yield running


def test_every_call_is_served(stack, files):
    """Each server's reflection names its package's services whole, and no call answers UNIMPLEMENTED."""
    for package, address in (
        ("batonpass.queue.v1", stack.queue_address),
        ("batonpass.scheduler.v1", stack.scheduler_address),
    ):
        declared = {path: method for path, method in calls(files).items() if path.startswith(f"/{package}.")}
        assert declared
        with grpc.insecure_channel(address) as channel:
            assert reflected(channel, package) == declared.keys()
            codes = {path: code_of(channel, path, method) for path, method in declared.items()}
        missing = [path for path, code in codes.items() if code is grpc.StatusCode.UNIMPLEMENTED]
        assert not missing


def test_every_call_is_reachable_from_python(files):
    """Client, agent or command line make it; the scheduler makes those of the intake."""
    clients = sources(ROOT / "clients" / "python" / "batonpass" / part for part in ("client", "agent", "cli"))
    scheduler = sources([ROOT / "scheduler_service"])
    unused = [
        path
        for path in calls(files)
        if not re.search(
            rf"\b{path.rpartition('/')[2]}\b", scheduler if ".IntakeService/" in path else clients
        )
    ]
    assert not unused


def calls(files: Sequence[FileDescriptorProto]) -> dict[str, MethodDescriptorProto]:
    """`/package.Service/Method` -> its declaration."""
    return {
        f"/{file.package}.{service.name}/{method.name}": method
        for file in files
        for service in file.service
        for method in service.method
    }


def reflected(channel: grpc.Channel, package: str) -> set[str]:
    """The calls of the package's services, as the server itself describes them."""
    database = ProtoReflectionDescriptorDatabase(channel)
    pool = DescriptorPool(database)
    names = [name for name in database.get_services() if name.startswith(f"{package}.")]
    return {f"/{name}/{method.name}" for name in names for method in pool.FindServiceByName(name).methods}


def code_of(channel: grpc.Channel, path: str, method: MethodDescriptorProto) -> grpc.StatusCode:
    """What an empty request is answered with, within 2 s."""
    if method.client_streaming:
        answers = iter(channel.stream_stream(path)(iter([b""]), timeout=2))
    elif method.server_streaming:
        answers = iter(channel.unary_stream(path)(b"", timeout=2))
    else:
        answers = (channel.unary_unary(path)(request, timeout=2) for request in [b""])
    try:
        next(answers, None)
    except grpc.RpcError as error:
        code: grpc.StatusCode = error.code()
        return code
    return grpc.StatusCode.OK


def sources(folders: Iterable[Path]) -> str:
    """The written code below the folders."""
    paths = (path for folder in folders for path in folder.rglob("*.py") if "_pb2" not in path.name)
    return "\n".join(path.read_text() for path in paths)


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
