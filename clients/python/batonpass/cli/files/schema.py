"""The JSON Schema (draft 2020-12) of files, made of the descriptors: for editors and for checks elsewhere.

Rules that need more than one field, or the state of a service, are checked when a file is applied.
"""

import ast
import inspect
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NamedTuple

from buf.validate import validate_pb2
from google.protobuf.descriptor import FieldDescriptor

from batonpass.cli.files import spelling
from batonpass.cli.files.document import KINDS
from batonpass.scheduler.v1.template_service_pb2 import ScheduleTemplate

Schema = dict[str, Any]

DURATION: Final = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d|w))+$|^0$"
TIME: Final = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?([Zz]|[+-][0-9]{2}:?[0-9]{2})$"
)

_COMMON: Final[Mapping[str, Schema]] = {
    spelling.DURATION: {"type": "string", "pattern": DURATION, "examples": ["30s", "1h30m"]},
    spelling.TIMESTAMP: {"type": "string", "pattern": TIME, "examples": ["2026-03-01T02:00:00Z"]},
}
_BODY: Final = f"{ScheduleTemplate.DESCRIPTOR.full_name}.body"
_SCHEDULE: Final = [{"required": ["source"]}, {"required": ["specs", "task"]}]
_CRON_JOB: Final[Schema] = {
    "type": "object",
    "description": "A CronJob of Kubernetes (batch/v1), taken as it is.",
    "properties": {"apiVersion": {"const": "batch/v1"}, "kind": {"const": "CronJob"}},
    "required": ["apiVersion", "kind", "metadata", "spec"],
}


class _Scope(NamedTuple):
    """The definitions so far. With parameters, a text may be `${name}` wherever it stands."""

    definitions: dict[str, Schema]
    has_parameters: bool = False

    def within(self, field: FieldDescriptor) -> "_Scope":
        return self._replace(has_parameters=True) if field.full_name == _BODY else self


def schema() -> Schema:
    """The schema of one document."""
    scope = _Scope({})
    roots: list[Schema] = []
    for kind, (message, identity) in KINDS.items():
        made = _message(message.DESCRIPTOR, scope)
        properties = {"kind": {"const": kind}, **made["properties"]}
        root = {**made, "properties": properties, "required": ["kind", identity]}
        roots.append({**root, "anyOf": _SCHEDULE} if kind == "Schedule" else root)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Batonpass",
        "description": "One document of a file for `batonpass apply`.",
        "type": "object",
        "required": ["kind"],
        "oneOf": [*roots, _CRON_JOB],
        "$defs": dict(sorted(scope.definitions.items())),
    }


def _message(kind: Any, scope: _Scope) -> Schema:
    comments = _comments(kind)
    properties = {
        key: _described(_field(field, scope), comments.get(field.name))
        for key, field in spelling.fields(kind).items()
    }
    made: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    groups = [group for group in kind.oneofs if len(group.fields) > 1]
    for group in groups:
        made["oneOf"] = [{"required": [spelling.spelled(field)]} for field in group.fields]
    required = [key for key, field in spelling.fields(kind).items() if _rules(field).required]
    if required:
        made["required"] = required
    return _described(made, comments.get(""))


def _field(field: FieldDescriptor, scope: _Scope) -> Schema:
    rules = _rules(field)
    if spelling.is_map(field):
        return {"type": "object", "additionalProperties": {"type": "string"}}
    if not field.is_repeated:
        return _one(field, rules, scope)
    made: Schema = {"type": "array", "items": _one(field, rules.repeated.items, scope)}
    if rules.repeated.HasField("max_items"):
        made["maxItems"] = rules.repeated.max_items
    if rules.repeated.unique:
        made["uniqueItems"] = True
    return made


def _one(field: FieldDescriptor, rules: Any, scope: _Scope) -> Schema:
    if field.message_type is not None:
        return _part(field.message_type, scope.within(field))
    if field.full_name in spelling.PAYLOADS:
        return {}
    if field.enum_type is not None:
        return {"enum": list(spelling.enum_words(field.enum_type))}
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_BOOL:
            return {"type": "boolean"}
        case FieldDescriptor.CPPTYPE_STRING:
            made = {"type": "string"} if scope.has_parameters else _text(rules.string)
            is_json = field.full_name in spelling.JSON_TEXTS
            return {"anyOf": [made, {"type": ["object", "array"]}]} if is_json else made
        case FieldDescriptor.CPPTYPE_DOUBLE:
            return {"type": "number", **_bounds(rules.double)}
        case FieldDescriptor.CPPTYPE_INT64:
            return {"type": "integer", **_bounds(rules.int64)}
        case _:
            return {"type": "integer", **_bounds(rules.int32)}


def _part(kind: Any, scope: _Scope) -> Schema:
    name = kind.full_name
    if name in _COMMON:
        return dict(_COMMON[name])
    key = f"{kind.name}{'WithParameters' if scope.has_parameters else ''}"
    if key not in scope.definitions:
        scope.definitions[key] = {}
        whole = _message(kind, scope)
        main = spelling.MAIN.get(name)
        if main is not None:
            whole = {"anyOf": [whole["properties"][main], whole]}
        scope.definitions[key] = whole
    return {"$ref": f"#/$defs/{key}"}


def _text(rules: Any) -> Schema:
    made: Schema = {"type": "string"}
    if rules.HasField("min_len"):
        made["minLength"] = rules.min_len
    if rules.HasField("max_len"):
        made["maxLength"] = rules.max_len
    if rules.pattern:
        made["pattern"] = rules.pattern
    allowed = [getattr(rules, "in")[place] for place in range(len(getattr(rules, "in")))]
    return {"enum": [word for word in allowed if word]} if allowed else made


def _bounds(rules: Any) -> Schema:
    made = {"minimum": rules.gte} if rules.HasField("gte") else {}
    return {**made, "maximum": rules.lte} if rules.HasField("lte") else made


def _rules(field: FieldDescriptor) -> Any:
    return field.GetOptions().Extensions[validate_pb2.field]


def _described(made: Schema, text: str | None) -> Schema:
    return {"description": text, **made} if text else made


def _comments(kind: Any) -> dict[str, str]:
    """Comments of a message (under the empty name) and its fields, from the stub of the generated code."""
    module = import_module(kind.file.name.removesuffix(".proto").replace("/", ".") + "_pb2")
    stub = Path(str(module.__file__)).with_suffix(".pyi")
    tree = ast.parse(stub.read_text())
    found = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == kind.name)
    return dict(_docs(next(found)))


def _docs(owner: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """Docstrings of a class, and of its attributes and properties."""
    if text := ast.get_docstring(owner):
        yield "", " ".join(text.split())
    for node, following in zip(owner.body, owner.body[1:], strict=False):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and _is_text(following):
            yield node.target.id, " ".join(inspect.cleandoc(following.value.value).split())  # type: ignore[attr-defined]
    for node in owner.body:
        if isinstance(node, ast.FunctionDef) and (text := ast.get_docstring(node)):
            yield node.name, " ".join(text.split())


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
