"""The pages: their links lead somewhere, their commands are understood, their tables are complete."""

import importlib
import pkgutil
import re
from pathlib import Path
from types import ModuleType

import grpc
import pytest

from queue_service.settings import QueueSettings
from scheduler_service.settings import SchedulerSettings
from service_kit import errors
from service_kit.errors import ServiceError
from tests.support.commands import in_shell, parse

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "clients").glob("*/README.md")])
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)(?:#([^)\s]+))?\)")
INLINE = re.compile(r"(?<!`)`((?:\./dev )?batonpass [a-z][^`.]*)`(?!`)")
FENCE = re.compile(r"^```(?:sh|bash)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PACKAGES = ("queue_service", "scheduler_service", "service_kit")
METRIC = re.compile(r'(?:Counter|Gauge|Histogram)\(\s*"(batonpass_[a-z_]+)"')
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


@pytest.mark.parametrize("settings", [QueueSettings, SchedulerSettings])
def test_every_setting_is_explained(settings):
    flags = {f"--{name.replace('_', '-')}" for name in settings.model_fields}
    assert flags <= explained_flags()


def test_no_setting_is_explained_that_there_is_not():
    fields = {*QueueSettings.model_fields, *SchedulerSettings.model_fields}
    assert explained_flags() <= {f"--{name.replace('_', '-')}" for name in fields}


def test_every_metric_of_the_services_is_explained():
    page = (ROOT / "docs" / "operations.md").read_text()
    sources = [path.read_text() for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    metrics = {name for text in sources for name in METRIC.findall(text)}
    assert metrics
    assert [name for name in sorted(metrics) if f"`{name}" not in page] == []


def explained_flags() -> set[str]:
    section = (ROOT / "docs" / "operations.md").read_text().split("## Settings")[1].split("\n## ")[0]
    first_cells = [row.split("|")[1] for row in section.splitlines() if row.startswith("| `--")]
    return {flag for cell in first_cells for flag in re.findall(r"`(--[a-z-]+)`", cell)}


def anchors(page: Path) -> set[str]:
    """Anchors of the headings, as the usual renderers make them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def commands(page: Path) -> list[list[str]]:
    """Calls of `batonpass` and of the services in the page's shell examples and sentences."""
    text = page.read_text()
    pieces = [*FENCE.findall(text), *INLINE.findall(text)]
    return [command for piece in pieces for command in in_shell(piece)]


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
