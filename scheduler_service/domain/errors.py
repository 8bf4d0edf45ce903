"""What the scheduler refuses.

ServiceError (service_kit.errors)
|- InvalidArgument
|  |- InvalidSchedule        a field of a schedule breaks a rule
|  |- InvalidBackfill        a field of a backfill breaks a rule
|  `- InvalidCalendar        a field of a calendar breaks a rule
|- NotFound
|  |- ScheduleNotFound
|  |- BackfillNotFound
|  |- EventNotFound
|  `- CalendarNotFound
|- AlreadyExists
|  |- ScheduleExists
|  |- CalendarExists
|  |- RequestReused          the same request_id with another content
|  `- EventReused            the same source and id of an event with another content
|- FailedPrecondition
|  |- CalendarInUse          schedules use it
|  |- CalendarUsedWidely     more than one change may move
|  `- RunsUsedUp             max_runs leaves none
|- Aborted
|  |- GenerationChanged
|  `- CalendarChanged
`- Unavailable
   `- StillCatchingUp        too many missed instants are yet to be settled
"""

from collections.abc import Sequence
from typing import ClassVar

from service_kit.errors import (
    Aborted,
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    Unavailable,
)


class InvalidSchedule(InvalidArgument):
    """One field breaks a rule; `field` is its path in the schedule, such as `specs[0].cron.expression`."""

    default_reason: ClassVar[str] = "INVALID_SCHEDULE"

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}", violations=[(field, rule)])
        self.field = field
        self.rule = rule

    def below(self, prefix: str) -> "InvalidSchedule":
        """The same violation, with the field's path continued to the left."""
        return InvalidSchedule(f"{prefix}{self.field}", self.rule)


class InvalidCalendar(InvalidArgument):
    """One field breaks a rule; `field` is its path in the calendar, such as `windows[0].cron`."""

    default_reason: ClassVar[str] = "INVALID_CALENDAR"

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}", violations=[(field, rule)])
        self.field = field
        self.rule = rule

    def below(self, prefix: str) -> "InvalidCalendar":
        """The same violation, with the field's path continued to the left."""
        return InvalidCalendar(f"{prefix}{self.field}", self.rule)


class InvalidBackfill(InvalidArgument):
    """One field breaks a rule; `field` is its path in the backfill, such as `until_time`."""

    default_reason: ClassVar[str] = "INVALID_BACKFILL"

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}", violations=[(f"backfill.{field}", rule)])


class ScheduleNotFound(NotFound):
    """There is no such schedule in the caller's namespace."""

    default_reason: ClassVar[str] = "SCHEDULE_NOT_FOUND"

    def __init__(self, namespace: str, schedule_id: str) -> None:
        super().__init__(
            f"there is no schedule {schedule_id!r} in namespace {namespace!r}; list the schedules",
            metadata={"namespace": namespace, "schedule_id": schedule_id},
        )


class BackfillNotFound(NotFound):
    """There is no such backfill in the caller's namespace."""

    default_reason: ClassVar[str] = "BACKFILL_NOT_FOUND"

    def __init__(self, namespace: str, backfill_id: str) -> None:
        super().__init__(
            f"there is no backfill {backfill_id!r} in namespace {namespace!r}; list the backfills",
            metadata={"namespace": namespace, "backfill_id": backfill_id},
        )


class CalendarNotFound(NotFound):
    """There is no such calendar in the caller's namespace."""

    default_reason: ClassVar[str] = "CALENDAR_NOT_FOUND"

    def __init__(self, namespace: str, calendar_id: str) -> None:
        super().__init__(
            f"there is no calendar {calendar_id!r} in namespace {namespace!r}; list the calendars",
            metadata={"namespace": namespace, "calendar_id": calendar_id},
        )


class CalendarExists(AlreadyExists):
    """The id is taken."""

    default_reason: ClassVar[str] = "CALENDAR_EXISTS"

    def __init__(self, namespace: str, calendar_id: str) -> None:
        super().__init__(
            f"calendar {calendar_id!r} exists in namespace {namespace!r}; update it, or choose another id",
            metadata={"namespace": namespace, "calendar_id": calendar_id},
        )


class CalendarInUse(FailedPrecondition):
    """Schedules are closed or opened by it."""

    default_reason: ClassVar[str] = "CALENDAR_IN_USE"

    def __init__(self, calendar_id: str, users: Sequence[str]) -> None:
        named = ", ".join(users)
        super().__init__(
            f"calendar {calendar_id!r} is used by schedules such as {named}; take it out of them first",
            metadata={"calendar_id": calendar_id, "schedules": named},
        )


class CalendarUsedWidely(FailedPrecondition):
    """More schedules use it than one change may move."""

    default_reason: ClassVar[str] = "CALENDAR_USED_WIDELY"

    def __init__(self, calendar_id: str, most: int) -> None:
        super().__init__(
            f"more than {most} schedules use calendar {calendar_id!r}; spread them over several calendars",
            metadata={"calendar_id": calendar_id, "most": str(most)},
        )


class CalendarChanged(Aborted):
    """Somebody changed the calendar since the caller read it."""

    default_reason: ClassVar[str] = "CALENDAR_CHANGED"

    def __init__(self, calendar_id: str, expected: int, current: int) -> None:
        super().__init__(
            f"calendar {calendar_id!r} is at version {current}, not {expected}; read it again and repeat",
            metadata={"calendar_id": calendar_id, "version": str(current)},
        )


class EventNotFound(NotFound):
    """There is no such event in the caller's namespace, or it is older than events are kept."""

    default_reason: ClassVar[str] = "EVENT_NOT_FOUND"

    def __init__(self, source: str, event_id: str) -> None:
        super().__init__(
            f"there is no event {event_id!r} of source {source!r}, or no longer; list the events",
            metadata={"source": source, "id": event_id},
        )


class ScheduleExists(AlreadyExists):
    """The id is taken."""

    default_reason: ClassVar[str] = "SCHEDULE_EXISTS"

    def __init__(self, namespace: str, schedule_id: str) -> None:
        super().__init__(
            f"schedule {schedule_id!r} exists in namespace {namespace!r}; update it, or choose another id",
            metadata={"namespace": namespace, "schedule_id": schedule_id},
        )


class RequestReused(AlreadyExists):
    """A request id stands for one request only."""

    default_reason: ClassVar[str] = "REQUEST_ID_REUSED"

    def __init__(self, request_id: str) -> None:
        super().__init__(
            f"request_id {request_id!r} was used for another request; use a new one",
            metadata={"request_id": request_id},
        )


class EventReused(AlreadyExists):
    """Source and id of an event stand for one event only."""

    default_reason: ClassVar[str] = "EVENT_REUSED"

    def __init__(self, source: str, event_id: str) -> None:
        super().__init__(
            f"event {event_id!r} of source {source!r} was published with another type, subject, time or data;"
            " give this one an id of its own",
            metadata={"source": source, "id": event_id},
        )


class GenerationChanged(Aborted):
    """Somebody changed the schedule since the caller read it."""

    default_reason: ClassVar[str] = "GENERATION_CHANGED"

    def __init__(self, schedule_id: str, expected: int, current: int) -> None:
        super().__init__(
            f"schedule {schedule_id!r} is at generation {current}, not {expected}; read it again and repeat",
            metadata={"schedule_id": schedule_id, "generation": str(current)},
        )


class RunsUsedUp(FailedPrecondition):
    """`max_runs` leaves the schedule no run: to enable it would change nothing."""

    default_reason: ClassVar[str] = "RUNS_USED_UP"

    def __init__(self, schedule_id: str, max_runs: int) -> None:
        super().__init__(
            f"schedule {schedule_id!r} has used its max_runs = {max_runs}; raise or clear max_runs first",
            metadata={"schedule_id": schedule_id, "max_runs": str(max_runs)},
        )


class StillCatchingUp(Unavailable):
    """More instants are due under the specification in force than one change can settle."""

    default_reason: ClassVar[str] = "STILL_CATCHING_UP"

    def __init__(self, schedule_id: str) -> None:
        super().__init__(
            f"schedule {schedule_id!r} is still catching up on missed instants; repeat in a moment",
            metadata={"schedule_id": schedule_id},
        )
