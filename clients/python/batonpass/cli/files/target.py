"""What there is in the services, and how it becomes what documents say."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from batonpass.cli.failure import Failure, Fault
from batonpass.cli.files.change import Change
from batonpass.cli.files.document import Document
from batonpass.cli.pages import listed
from batonpass.cli.session import Session
from batonpass.scheduler.v1 import calendar_service_pb2 as calendar_pb
from batonpass.scheduler.v1 import schedule_service_pb2 as pb
from batonpass.scheduler.v1 import template_service_pb2 as template_pb
from batonpass.scheduler.v1.schedule_pb2 import Schedule

_REQUESTS = ("schedule", "draft", "calendar", "template")


@dataclass(frozen=True)
class FileFault(Fault):
    """A refusal of what a document asks for, said by the places of the file."""

    place: str = ""

    def text(self) -> str:
        """Each broken rule with file, document and path."""
        said = [f"{_path_in_file(path)}: {rule}" for path, rule in self.violations] or [self.message]
        first, *more = (f"{self.place}: {line}" if self.place else line for line in said)
        hint = [f"Next: {self.hint}"] if self.hint else []
        return "\n".join([f"Error: {first}", *(f"  {line}" for line in more), *hint])


class Target:
    """The scheduler, as far as files are about it. Its refusals name the document."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def find(self, document: Document) -> Any:
        """What there is of that kind and name; None when there is nothing."""
        try:
            match document.kind:
                case "Calendar":
                    request = calendar_pb.GetCalendarRequest(calendar_id=document.ident)
                    return self._session.calendars.GetCalendar(request).calendar
                case "ScheduleTemplate":
                    asked = template_pb.GetScheduleTemplateRequest(template_id=document.ident)
                    return self._session.templates.GetScheduleTemplate(asked).template
                case _:
                    wanted = pb.GetScheduleRequest(schedule_id=document.ident)
                    return self._session.schedules.GetSchedule(wanted).schedule
        except Failure as failure:
            if failure.fault.code == "NOT_FOUND":
                return None
            raise _placed(failure, document) from None

    def check(self, document: Document, to_come: Iterable[str]) -> None:
        """Lets the scheduler check a schedule without storing it; calendars in `to_come` need not exist."""
        if document.kind != "Schedule" or document.message.HasField("source"):
            return
        draft = Schedule()
        draft.CopyFrom(document.message)
        for calendars in (draft.include_calendars, draft.exclude_calendars):
            known = [name for name in calendars if name not in set(to_come)]
            del calendars[:]
            calendars.extend(known)
        try:
            self._session.schedules.PreviewSchedule(pb.PreviewScheduleRequest(draft=draft, count=1))
        except Failure as failure:
            raise _placed(failure, document) from None

    def make(self, change: Change) -> None:
        """Creates or updates."""
        try:
            match change.document.kind:
                case "Calendar":
                    self._make_calendar(change)
                case "ScheduleTemplate":
                    self.put_template(change.document)
                case _:
                    self._make_schedule(change)
        except Failure as failure:
            raise _placed(failure, change.document) from None

    def put_template(self, document: Document) -> template_pb.PutScheduleTemplateResponse:
        """Stores the next version of a schedule template, unless it is the same as the newest."""
        request = template_pb.PutScheduleTemplateRequest(template=document.message)
        try:
            return self._session.templates.PutScheduleTemplate(request)
        except Failure as failure:
            raise _placed(failure, document) from None

    def delete(self, document: Document) -> bool:
        """False when there is nothing of that name."""
        try:
            match document.kind:
                case "Calendar":
                    request = calendar_pb.DeleteCalendarRequest(calendar_id=document.ident)
                    self._session.calendars.DeleteCalendar(request)
                case "ScheduleTemplate":
                    asked = template_pb.DeleteScheduleTemplateRequest(template_id=document.ident)
                    self._session.templates.DeleteScheduleTemplate(asked)
                case _:
                    self._session.schedules.DeleteSchedule(
                        pb.DeleteScheduleRequest(schedule_id=document.ident)
                    )
        except Failure as failure:
            if failure.fault.code == "NOT_FOUND":
                return False
            raise _placed(failure, document) from None
        return True

    def schedules(self, labels: Mapping[str, str]) -> list[Schedule]:
        """All schedules that have all of these labels."""
        return listed(
            lambda size, token: self._session.schedules.ListSchedules(
                pb.ListSchedulesRequest(page_size=size, page_token=token, labels=labels)
            ),
            lambda page: page.schedules,
            0,
        ).items

    def calendars(self) -> list[calendar_pb.Calendar]:
        """All calendars."""
        return list(
            _all(self._session.calendars.ListCalendars, calendar_pb.ListCalendarsRequest, "calendars")
        )

    def templates(self) -> list[template_pb.ScheduleTemplate]:
        """The newest version of every schedule template."""
        call = self._session.templates.ListScheduleTemplates
        return list(_all(call, template_pb.ListScheduleTemplatesRequest, "templates"))

    def _make_calendar(self, change: Change) -> None:
        message = change.message
        if change.current is None:
            self._session.calendars.CreateCalendar(calendar_pb.CreateCalendarRequest(calendar=message))
        else:
            request = calendar_pb.UpdateCalendarRequest(calendar=message, version=change.current.version)
            self._session.calendars.UpdateCalendar(request)

    def _make_schedule(self, change: Change) -> None:
        """An update is for the generation that was compared, so nobody's change in between is undone."""
        message, calls = change.message, self._session.schedules
        if change.current is None:
            calls.CreateSchedule(pb.CreateScheduleRequest(schedule=message))
            return
        if change.paths:
            request = pb.UpdateScheduleRequest(schedule=message, generation=change.current.generation)
            request.update_mask.paths.extend(change.paths)
            calls.UpdateSchedule(request)
        if "disabled" in change.fields and message.disabled:
            calls.DisableSchedule(pb.DisableScheduleRequest(schedule_id=message.schedule_id, note=_NOTE))
        elif "disabled" in change.fields:
            calls.EnableSchedule(pb.EnableScheduleRequest(schedule_id=message.schedule_id, note=_NOTE))


_NOTE = "as its file says"
_ABOUT_THE_DOCUMENT = ("INVALID_ARGUMENT", "FAILED_PRECONDITION", "NOT_FOUND", "ALREADY_EXISTS", "ABORTED")


def _all(call: Any, request: Any, field: str) -> Iterator[Any]:
    token = ""
    while True:
        page = call(request(page_size=100, page_token=token))
        yield from getattr(page, field)
        token = page.next_page_token
        if not token:
            return


def _placed(failure: Failure, document: Document) -> Failure:
    fault = failure.fault
    if fault.code not in _ABOUT_THE_DOCUMENT:
        return failure
    facts = {name: getattr(fault, name) for name in Fault.__dataclass_fields__}
    placed = FileFault(**facts, place=document.place)
    return Failure(replace(placed, message=f"{document.name}: {fault.message}"))


def _path_in_file(path: str) -> str:
    """`schedule.template.priority` as the file spells it: `task.priority`."""
    request, _, rest = path.partition(".")
    if request not in _REQUESTS:
        return path
    names = ["task" if name == "template" else name for name in rest.split(".")]
    return ".".join(names)
