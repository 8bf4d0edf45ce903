"""One document of a file: a schedule, a calendar or a schedule template, ready to be sent. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from google.protobuf.message import Message

from batonpass.cli.files import cron_job
from batonpass.cli.files.mistakes import Mistake
from batonpass.cli.files.reading import message_of
from batonpass.cli.files.writing import content_of
from batonpass.scheduler.v1.calendar_service_pb2 import Calendar
from batonpass.scheduler.v1.schedule_pb2 import Schedule
from batonpass.scheduler.v1.template_service_pb2 import ScheduleTemplate

KINDS: Final[Mapping[str, tuple[type[Message], str]]] = {
    "Calendar": (Calendar, "calendar_id"),
    "ScheduleTemplate": (ScheduleTemplate, "template_id"),
    "Schedule": (Schedule, "schedule_id"),
}
"""Kind -> its message and the field that identifies it; in the order in which they are made."""

WORDS: Final = {"Calendar": "calendar", "ScheduleTemplate": "schedule template", "Schedule": "schedule"}

_OWN: Final = ("schedule_id", "labels", "disabled", "source")
"""What a schedule that is made of a schedule template says itself."""


@dataclass(frozen=True)
class Document:
    """What a document asks for. `place` says where it stands; `notes` say what was not taken over."""

    kind: str
    message: Any
    place: str = ""
    says_disabled: bool = False
    """Whether it says if the schedule is disabled; else that is left as it is."""
    notes: tuple[str, ...] = field(default=())

    @property
    def ident(self) -> str:
        """Its identity among those of its kind."""
        found: str = getattr(self.message, KINDS[self.kind][1])
        return found

    @property
    def name(self) -> str:
        """As people call it."""
        return f"{WORDS[self.kind]} {self.ident}"


def document_of(content: object, place: str = "") -> Document:
    """Reads one document. Raises Mistake."""
    if not isinstance(content, Mapping):
        raise Mistake("", f"must be a mapping with `kind: {'`, `kind: '.join(KINDS)}`")
    if "kind" not in content:
        raise Mistake("kind", f"is missing: write one of {', '.join(KINDS)}")
    if content["kind"] == "CronJob":
        made = cron_job.schedule_of(content)
        return Document("Schedule", made.schedule, place, True, tuple(made.notes))
    return _own(content, place)


def _own(content: Mapping[Any, Any], place: str) -> Document:
    kind = content["kind"]
    if kind not in KINDS:
        raise Mistake("kind", f"must be one of {', '.join((*KINDS, 'CronJob'))}, not {kind!r}")
    message_kind, identity = KINDS[kind]
    rest = {key: value for key, value in content.items() if key != "kind"}
    message = message_of(message_kind, rest)
    if not getattr(message, identity):
        raise Mistake(identity, "is missing")
    if isinstance(message, Schedule):
        _check(message, rest)
        _complete(message)
    return Document(kind, message, place, says_disabled=rest.get("disabled") is not None)


def _check(schedule: Schedule, content: Mapping[Any, Any]) -> None:
    """What a scheduler would only find when the schedule is made. Raises Mistake."""
    if schedule.HasField("source"):
        for key in content:
            if key not in _OWN:
                raise Mistake(str(key), "must be left out: what `source` names says it")
        return
    if not schedule.specs:
        raise Mistake("specs", "must have at least one, or `source` must be given")
    if not schedule.template.handler.strip():
        raise Mistake("task.handler", "is missing: it says what runs")


def _complete(schedule: Schedule) -> None:
    """A schedule has its id as name unless it has another one."""
    if not schedule.HasField("source") and not schedule.template.name:
        schedule.template.name = schedule.schedule_id


def content_with_kind(kind: str, message: Message) -> dict[str, Any]:
    """The document of a message; the inverse of `document_of`."""
    return {"kind": kind, **content_of(message)}
