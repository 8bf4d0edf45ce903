"""Payloads made of events by a template: a JSON document with places such as `{{data.order.id}}`.

A text that is exactly one place becomes the value there, with its JSON type; inside a text it is filled in as
text. `{{{{` stands for `{{`. Where the event has nothing it is null, and nothing inside a text. Nothing is
computed.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from scheduler_service.domain import strict_json

LONGEST: Final = 262_144
"""Bytes of a payload."""

OF_EVENT: Final = ("id", "source", "type", "subject", "time", "data")
OF_BATCH: Final = ("events",)
"""Where a path may begin."""

_TOKEN: Final = re.compile(r"\{\{\{\{|\{\{(?P<path>[^{}]*)\}\}|\{\{")
_PATH: Final = re.compile(r"[^\s.{}]+(\.[^\s.{}]+)*")


class TemplateRefused(ValueError):
    """It is no template; the text says why."""


class PayloadTooLong(ValueError):
    """The event makes it longer than a payload may be."""


@dataclass(frozen=True, slots=True)
class _Place:
    path: tuple[str, ...]
    in_text: bool


Template = tuple["str | _Place", ...]
"""JSON text with places in it."""


@lru_cache(maxsize=4096)
def parse(text: str, *, of_batch: bool) -> Template:
    """The template of a JSON document. Raises TemplateRefused."""
    try:
        document = strict_json.read(text)
        return tuple(_joined(_pieces(document, OF_BATCH if of_batch else OF_EVENT)))
    except TemplateRefused:
        raise
    except (ValueError, RecursionError) as error:
        raise TemplateRefused(f"must be a JSON document: {error}") from None


def fill(template: Template, document: Mapping[str, Any]) -> bytes:
    """The payload that `document` makes, JSON in UTF-8. Raises PayloadTooLong."""
    made, length = [], 0
    for piece in template:
        text = piece if isinstance(piece, str) else _filled(piece, document)
        length += len(text)
        if length > LONGEST:
            break
        made.append(text)
    # A lone surrogate becomes its JSON escape.
    payload = "".join(made).encode("utf-8", "backslashreplace")
    if length > LONGEST or len(payload) > LONGEST:
        raise PayloadTooLong(f"its payload would be longer than {LONGEST:,} bytes")
    return payload


def _filled(place: _Place, document: Mapping[str, Any]) -> str:
    value = _value(document, place.path)
    if not place.in_text:
        return _dump(value)
    if value is None:
        return ""
    return _dump(value if isinstance(value, str) else _dump(value))[1:-1]


def _value(document: Any, path: Sequence[str]) -> Any:
    for name in path:
        if isinstance(document, Mapping):
            document = document.get(name)
        elif isinstance(document, list) and name.isascii() and name.isdigit() and len(name) <= 6:
            document = document[int(name)] if int(name) < len(document) else None
        else:
            return None
    return document


def _pieces(value: Any, roots: Sequence[str]) -> Iterator[str | _Place]:
    if isinstance(value, dict):
        yield from _listed("{}", (_pair(name, inner, roots) for name, inner in value.items()))
    elif isinstance(value, list):
        yield from _listed("[]", (_pieces(inner, roots) for inner in value))
    elif isinstance(value, str):
        yield from _text(value, roots)
    else:
        yield _dump(value)


def _pair(name: str, value: Any, roots: Sequence[str]) -> Iterator[str | _Place]:
    yield f"{_dump(name)}:"
    yield from _pieces(value, roots)


def _listed(brackets: str, parts: Iterator[Iterator[str | _Place]]) -> Iterator[str | _Place]:
    yield brackets[0]
    for number, part in enumerate(parts):
        if number:
            yield ","
        yield from part
    yield brackets[1]


def _text(text: str, roots: Sequence[str]) -> Iterator[str | _Place]:
    whole = _TOKEN.fullmatch(text)
    if whole is not None and whole["path"] is not None:
        yield _place(whole["path"], roots, in_text=False)
        return
    yield '"'
    end = 0
    for token in _TOKEN.finditer(text):
        yield _dump(text[end : token.start()])[1:-1]
        end = token.end()
        if token["path"] is not None:
            yield _place(token["path"], roots, in_text=True)
        elif token[0] == "{{{{":
            yield "{{"
        else:
            raise TemplateRefused(f"{text!r} has {{{{ without }}}}; write {{{{{{{{ for two braces")
    yield _dump(text[end:])[1:-1] + '"'


def _place(path: str, roots: Sequence[str], *, in_text: bool) -> _Place:
    stripped = path.strip()
    if not _PATH.fullmatch(stripped):
        raise TemplateRefused(f"{{{{{path}}}}} is no path such as {{{{data.order.id}}}}")
    names = tuple(stripped.split("."))
    if names[0] not in roots:
        raise TemplateRefused(f"{{{{{stripped}}}}} must begin with {' or '.join(roots)}")
    return _Place(names, in_text)


def _joined(pieces: Iterator[str | _Place]) -> Iterator[str | _Place]:
    text = ""
    for piece in pieces:
        if isinstance(piece, str):
            text += piece
        else:
            yield text
            yield piece
            text = ""
    yield text


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
