"""Files and folders as documents; all of them are checked before anything is done."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from batonpass.cli.files import yaml_text
from batonpass.cli.files.document import KINDS, Document, document_of
from batonpass.cli.files.mistakes import Mistake, WrongFiles

_ENDINGS = (".yaml", ".yml", ".json")


def load(names: Iterable[str]) -> list[Document]:
    """The documents of files, folders and `-` (stdin), in the order in which they are made.

    A folder stands for its YAML and JSON files at any depth, by name. Raises WrongFiles with everything that
    is wrong.
    """
    wrong: list[str] = []
    found = [document for name, text in _texts(names, wrong) for document in _documents(name, text, wrong)]
    wrong += _doubled(found)
    if not found and not wrong:
        wrong.append("there is no document in them")
    if wrong:
        raise WrongFiles(wrong)
    order = list(KINDS)
    return sorted(found, key=lambda document: order.index(document.kind))


def _texts(names: Iterable[str], wrong: list[str]) -> Iterator[tuple[str, str]]:
    for name in names:
        for file in _files(name):
            try:
                yield (file, sys.stdin.read() if file == "-" else Path(file).read_text())
            except UnicodeDecodeError:
                wrong.append(f"{file}: is not UTF-8 text")
            except OSError as error:
                wrong.append(f"{file}: {error.strerror}")


def _files(name: str) -> list[str]:
    folder = Path(name)
    if name == "-" or not folder.is_dir():
        return [name]
    return sorted(str(file) for file in folder.rglob("*") if file.suffix in _ENDINGS and file.is_file())


def _documents(file: str, text: str, wrong: list[str]) -> Iterator[Document]:
    try:
        contents = list(yaml_text.documents(text))
    except ValueError as error:
        wrong.append(f"{file}: {error}")
        return
    for content in contents:
        place = f"{file}, document {content.place} (line {content.line})"
        try:
            yield document_of(content.value, place)
        except Mistake as mistake:
            wrong.append(f"{place}: {mistake}")


def _doubled(documents: Iterable[Document]) -> Iterator[str]:
    first: dict[tuple[str, str], str] = {}
    for document in documents:
        before = first.setdefault((document.kind, document.ident), document.place)
        if before != document.place:
            yield f"{document.place}: {document.name} is in {before} already"
