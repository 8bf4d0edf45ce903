"""What has to change so that things are as a document says. Pure."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from batonpass.cli.files import yaml_text
from batonpass.cli.files.defaults import without_defaults
from batonpass.cli.files.document import Document
from batonpass.cli.files.writing import content_of
from batonpass.scheduler.v1.schedule_pb2 import Schedule

_PATHS: Mapping[str, str] = {"task": "template"}


@dataclass(frozen=True)
class Change:
    """One document beside what there is: `current` None when there is nothing of that name yet.

    `message` is what to send. `before` and `after` are the contents of files; `fields` are the keys whose
    values differ.
    """

    document: Document
    current: Any
    message: Any
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    fields: tuple[str, ...]

    @property
    def verb(self) -> str:
        """`create`, `update` or `unchanged`."""
        if self.current is None:
            return "create"
        return "update" if self.fields else "unchanged"

    @property
    def paths(self) -> list[str]:
        """The mask of an update: what differs, apart from what has a call of its own.

        What a schedule is made of decides over everything but its labels.
        """
        keys = [key for key in self.fields if key != "disabled"]
        if self.document.message.HasField("source"):
            keys = [key for key in keys if key in ("source", "labels")]
        return [_PATHS.get(key, key) for key in keys]

    def diff(self) -> str:
        """From what there is to what the document says, as a unified diff; empty when they are the same."""
        before = _lines(self.before) if self.current is not None else []
        name, place = self.document.name, self.document.place
        return "".join(difflib.unified_diff(before, _lines(self.after), f"{name} (now)", f"{name} ({place})"))


def compare(document: Document, current: Any) -> Change:
    """The change that a document asks for. What it does not say is the default, and no difference."""
    wanted = type(document.message)()
    wanted.CopyFrom(document.message)
    if current is not None and isinstance(wanted, Schedule):
        _settle(wanted, current, document)
    after = content_of(without_defaults(wanted))
    before = {} if current is None else content_of(_comparable(current, wanted))
    fields = tuple(key for key in {**before, **after} if before.get(key) != after.get(key))
    return Change(document, current, wanted, before, after, fields)


def _comparable(current: Any, wanted: Any) -> Any:
    """What there is. When a schedule stops being made of a schedule template, it is all that is in force."""
    if isinstance(wanted, Schedule) and current.HasField("source") and not wanted.HasField("source"):
        whole = Schedule()
        whole.CopyFrom(current)
        source = whole.source
        whole.ClearField("source")
        made = without_defaults(whole)
        made.source.CopyFrom(source)
        return made
    return without_defaults(current)


def _settle(wanted: Schedule, current: Schedule, document: Document) -> None:
    """Fills in what a document leaves as it is: the version that is pinned, and an operator's switch."""
    if not document.says_disabled:
        wanted.disabled = current.disabled
    is_same = wanted.HasField("source") and wanted.source.template_id == current.source.template_id
    if is_same and not wanted.source.version:
        wanted.source.version = current.source.version


def _lines(content: Mapping[str, Any]) -> list[str]:
    return yaml_text.dumped(dict(content)).splitlines(keepends=True)
