"""YAML for files of schedules: texts stay texts, `NO` is a country, `1:30` no number, a key is there once."""

import re
from collections.abc import Hashable, Iterator
from typing import Any, NamedTuple

import yaml

_INDICATORS = {
    "tag:yaml.org,2002:null": (r"^(?:~|null|Null|NULL|)$", [*"~nN", ""]),
    "tag:yaml.org,2002:bool": (r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    "tag:yaml.org,2002:int": (r"^[-+]?(?:0|[1-9][0-9]*)$", list("-+0123456789")),
    "tag:yaml.org,2002:float": (
        r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)(?:[eE][-+]?[0-9]+)?$",
        list("-+.0123456789"),
    ),
}


class _Loader(yaml.SafeLoader):
    """YAML 1.2: only null, true, false and numbers are not texts."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} is there twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


class Content(NamedTuple):
    """One document of a file: its place, 1 = the first; the line it begins on; what it says."""

    place: int
    line: int
    value: Any


def documents(text: str) -> Iterator[Content]:
    """The documents of a YAML file that are not empty. Raises ValueError naming line and column."""
    loader = _Loader(text)
    place = 0
    try:
        while loader.check_node():
            place += 1
            node = loader.get_node()
            value = None if node is None else loader.construct_document(node)
            if node is not None and value is not None:
                yield Content(place, node.start_mark.line + 1, value)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ValueError(f"{where}{error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None
    finally:
        loader.dispose()


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as blocks; nothing is an alias."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    # A plain text would lose what YAML takes for other line breaks.
    is_plain = value.replace("\n", "").isprintable()
    style = '"' if not is_plain else "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def _register() -> None:
    """Texts that look like something else to this or to another reader of YAML are written in quotes."""
    _Loader.yaml_implicit_resolvers = {}
    for tag, (pattern, first) in _INDICATORS.items():
        for kind in (_Loader, _Dumper):
            kind.add_implicit_resolver(tag, re.compile(pattern), first)


_register()


def dumped(value: Any) -> str:
    """One document as YAML, keys in their order."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
