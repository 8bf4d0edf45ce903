"""Named SQL statements from a `queries.sql` file."""

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

_NAME = re.compile(r"^--\s*name:\s*(?P<name>\S*)\s*$", re.MULTILINE)


def load_queries(path: Path) -> Mapping[str, str]:
    """Reads `-- name: x` blocks as name -> statement, comments included (they help in the server's log).

    Raises ValueError naming file and block for an empty or repeated name, a name that is no identifier,
    a block without a statement, and text before the first block that is not a comment.
    """
    return parse_queries(path.read_text(encoding="utf-8"), source=str(path))


def parse_queries(text: str, source: str = "queries") -> Mapping[str, str]:
    """As `load_queries`, from the text itself."""
    heads = list(_NAME.finditer(text))
    preamble = text[: heads[0].start()] if heads else text
    if _statement(preamble):
        raise ValueError(f"{source}: statement before the first '-- name:'")
    queries: dict[str, str] = {}
    ends = [*(head.start() for head in heads), len(text)][1:]
    for head, end in zip(heads, ends, strict=True):
        name, body = head["name"], text[head.end() : end].strip().removesuffix(";")
        if not name.isidentifier():
            raise ValueError(f"{source}: {name!r} is no name for a statement")
        if name in queries:
            raise ValueError(f"{source}: {name!r} is named twice")
        if not _statement(body):
            raise ValueError(f"{source}: {name!r} has no statement")
        queries[name] = body
    return MappingProxyType(queries)


def _statement(text: str) -> str:
    """What is left of `text` without comment lines."""
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("--"))
    return "\n".join(lines).strip().strip(";")
