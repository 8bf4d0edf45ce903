"""One running product for the scenarios of a module."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.stack import Stack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack")) as stack:
        stack.start()
        yield stack


@pytest.fixture
def gate(tmp_path: Path) -> "Gate":
    return Gate(tmp_path)


class Gate:
    """Shell commands that run until the test lets them end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def command(self, name: str) -> str:
        """A command that ends, with exit code 0, when `open(name)` is called."""
        fifo = self._folder / f"{name}.fifo"
        if not fifo.exists():
            os.mkfifo(fifo)
        return f"read line < {fifo}"

    def open(self, name: str) -> None:
        """Blocks until the command has started, then lets it end."""
        (self._folder / f"{name}.fifo").write_text("go\n")
