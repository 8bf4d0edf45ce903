"""The pages: their links lead somewhere, their commands are understood, their tables are complete."""

import importlib
import pkgutil
import re
from pathlib import Path
from types import ModuleType

import grpc
import pytest

from service_kit import errors
from service_kit.errors import ServiceError
from tests.support.commands import in_shell, parse

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "clients").glob("*/README.md")])
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)(?:#([^)\s]+))?\)")
FENCE = re.compile(r"^```(?:sh|bash)\n(.*?)^```", re.MULTILINE | re.DOTALL)
REASON = re.compile(r"`([A-Z][A-Z_]+)`")


@pytest.fixture(params=PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def page(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


def test_links_lead_somewhere(page):
    for target, anchor in LINK.findall(page.read_text()):
        path = (page.parent / target).resolve()
        assert path.exists(), target
        assert not anchor or anchor in anchors(path), f"{target}#{anchor}"


def test_commands_are_understood(page):
    for command in commands(page):
        parse(command)


def test_every_reason_of_a_refusal_is_explained():
    """In docs/api.md, and nothing that no service says; a code's own name needs no explanation."""
    general = {code.name for code in grpc.StatusCode}
    table = (ROOT / "docs" / "api.md").read_text().split("## Errors")[1].split("\n## ")[0]
    explained = {word for row in table.splitlines() for word in REASON.findall("|".join(row.split("|")[2:3]))}
    assert explained - general == reasons() - general


def anchors(page: Path) -> set[str]:
    """Anchors of the headings, as the usual renderers make them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def commands(page: Path) -> list[list[str]]:
    """Calls of `batonpass` and of the services in the page's shell examples."""
    return [command for block in FENCE.findall(page.read_text()) for command in in_shell(block)]


def reasons() -> set[str]:
    """Reasons that the code of services and kit can give."""
    modules = [errors, *modules_below("queue_service"), *modules_below("scheduler_service")]
    classes = {kind for module in modules for kind in vars(module).values() if is_refusal(kind)}
    sources = [Path(module.__file__ or "") for module in [*modules, *modules_below("service_kit")]]
    literal = {word for path in sources for word in re.findall(r'reason="([A-Z_]+)"', path.read_text())}
    return {kind.default_reason for kind in classes} | literal


def is_refusal(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, ServiceError)


def modules_below(package: str) -> list[ModuleType]:
    root = importlib.import_module(package)
    names = [found.name for found in pkgutil.walk_packages(root.__path__, f"{package}.")]
    return [
        importlib.import_module(name)
        for name in names
        if not name.endswith("__main__") and "versions" not in name
    ]
